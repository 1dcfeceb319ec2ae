"""The commands behind the words: what they take, what they do, and the sentence when they cannot."""

from __future__ import annotations

import dataclasses
import errno
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from .anatomy import Anatomy
from .assembly import PRETRAINED, NetworkSource, Setting, Teacher, epochs_for, lesson_alone, lesson_taught, trained
from .catalogue import catalogue, parse
from .checkpoints import about_weights, load_weights
from .classroom import Classroom, Lesson
from .data import DATASETS, Data
from .display import Display
from .evaluation import evaluate, size_of
from .gate import check_teacher, normalisation_note
from .models import MODELS
from .recipe import Recipe
from .report import Line, comparison, listing
from .spelling import nearest
from .train import Stopped, fit


@dataclass(frozen=True)
class TrainOptions:
    """What to train.

    Args:
        model: A network: of the zoo (`stillhouse list models`), `timm:NAME`, `torchvision:NAME`,
            `package.module:callable` or `file.py:callable`.
        weights: A file of weights to begin with, or `pretrained` for timm's or torchvision's own.
        anatomy: Where its landmarks are, if they are to be other than found.
    """

    model: str = "resnet32"
    weights: str | None = None
    anatomy: Anatomy | None = None


@dataclass(frozen=True)
class DistillOptions:
    """Who teaches whom, and how.

    Args:
        teacher: The folder of a finished run, or a network as for --student; without --teacher_weights it is trained
            first, as `stillhouse train` would.
        teacher_weights: A file with the teacher's trained weights, or `pretrained` for timm's or torchvision's own.
        student: A network: of the zoo (`stillhouse list models`), `timm:NAME`, `torchvision:NAME`,
            `package.module:callable` or `file.py:callable`.
        student_weights: A file of weights to begin with, or `pretrained` for timm's or torchvision's own.
        methods: What the student learns from (`stillhouse list methods`): CE,KD,AT or 'CE, KD(temperature=2),
            my_kd.py:MyKD'. Weights and other arguments have their papers' values when left out.
        baseline: Also train the student by itself, to see what distillation gained.
        teacher_anatomy: Where the teacher's landmarks are, if they are to be other than found.
        student_anatomy: The same for the student.
    """

    teacher: str = "resnet32"
    teacher_weights: str | None = None
    student: str = "resnet8"
    student_weights: str | None = None
    methods: str | list[str] = "CE(weight=0.1), KD(weight=0.9)"
    baseline: bool = True
    teacher_anatomy: Anatomy | None = None
    student_anatomy: Anatomy | None = None


@dataclass(frozen=True)
class EvaluateOptions:
    """What to measure.

    Args:
        model: The folder of a finished run, a safetensors file of one, or a network as for `stillhouse train`.
        weights: A file with the network's weights, where `model` is a name.
    """

    model: str
    weights: str | None = None


def train(options: TrainOptions, setting: Setting, recipe: Recipe, data: Data, display: Display) -> None:
    """Train a network by itself."""
    source = NetworkSource(options.model, options.weights, options.anatomy)
    lesson = lesson_alone(source, data, recipe, setting)
    _train_alone(lesson, setting, data, display)
    parameters, macs = size_of(lesson.model, data.info.image_size)
    line = Line(source.short, parameters, macs, *_outcome(lesson))
    display.console.print(comparison([line], f"{data.name}, {recipe.epochs} epochs, seed {setting.seed}"))
    display.say(f"kept in {lesson.run.folder}")


def _train_alone(lesson: Lesson, setting: Setting, data: Data, display: Display) -> None:
    if lesson.run.is_done:
        display.say(f"{lesson.name}: already trained, {lesson.run.folder}")
        return
    display.say(f"{lesson.name}: {lesson.epochs} epochs, {lesson.run.folder}")
    fit(Classroom(None, [lesson]), data, setting.torch_device(), display)


def distill(options: DistillOptions, setting: Setting, recipe: Recipe, data: Data, display: Display) -> None:
    """Teach a student what a teacher knows."""
    device = setting.torch_device()
    spelled = parse(options.methods if isinstance(options.methods, str) else ", ".join(options.methods))
    source = NetworkSource(options.student, options.student_weights, options.student_anatomy)
    source.build(data, setting.seed)  # a misspelt student shall not wait for the teacher's training
    teacher = _teacher(options, setting, recipe, data, display)
    scores = evaluate(teacher.net.model.to(device), data.validation or data.test, device)
    check_teacher(teacher.name, scores, data, teacher.about)
    note = normalisation_note(teacher.about, data)
    if note:
        display.say(f"note: {note}")

    config = {key: value for key, value in dataclasses.asdict(options).items() if key != "methods"}
    taught = lesson_taught(source, teacher, spelled, data, recipe, setting, config)
    lessons = [lesson_alone(source, data, recipe, setting), taught] if options.baseline else [taught]
    display.say(f"teacher {teacher.short}: {scores.top1:.2f} % top-1; {teacher.net.anatomy.describe()}")
    display.say(f"student {source.short}: {taught.distillation.student.anatomy.describe()}")
    for line in taught.distillation.describe_spots():
        display.say(f"  {line}")
    for lesson in lessons:
        display.say(f"{lesson.name}: {'already trained, ' if lesson.run.is_done else ''}{lesson.run.folder}")
    waiting = [lesson for lesson in lessons if not lesson.run.is_done]
    if waiting:
        fit(Classroom(teacher.net, waiting), data, device, display, scores)
    display.console.print(_table(teacher, lessons, setting, recipe, data, display))


def _table(
    teacher: Teacher, lessons: Sequence[Lesson], setting: Setting, recipe: Recipe, data: Data, display: Display
) -> Any:
    """The teacher and its students as they are on the test images now."""
    device = setting.torch_device()
    said = evaluate(teacher.net.model, data.test, device)
    lines = [Line(f"{teacher.short} (teacher)", *size_of(teacher.net.model, data.info.image_size), said.top1)]
    for lesson in lessons:
        load_weights(lesson.model, lesson.run.folder / "student.safetensors")
        scores = evaluate(lesson.model.to(device), data.test, device)
        _, best = _outcome(lesson)
        size = size_of(lesson.model, data.info.image_size)
        lines.append(Line(lesson.name, *size, scores.top1, best, scores.agreement(said)))
    return comparison(lines, f"{data.name}, {recipe.epochs} epochs, seed {setting.seed}")


def _outcome(lesson: Lesson) -> tuple[float, float]:
    result = lesson.run.result
    return float(str(result["top1"])), float(str(result["best_top1"]))


def _teacher(options: DistillOptions, setting: Setting, recipe: Recipe, data: Data, display: Display) -> Teacher:
    """The trained teacher: of a run, from a file, or trained now."""
    device = setting.torch_device()
    if Path(options.teacher).expanduser().exists() and ":" not in options.teacher:
        if options.teacher_weights:
            raise ValueError(f"--teacher {options.teacher} already has weights; leave out --teacher_weights")
        return trained(options.teacher, data, options.teacher_anatomy, device)
    source = NetworkSource(options.teacher, options.teacher_weights, options.teacher_anatomy)
    if source.weights:
        model = source.build(data, setting.seed)
        known = {} if source.weights == PRETRAINED else about_weights(Path(source.weights).expanduser())
        return Teacher(source.tapped(model.to(device).eval(), data), source.name, known)
    lesson = lesson_alone(source, data, recipe, setting)
    if not lesson.run.is_done:
        display.say(f"teacher {source.name} has no weights yet: it is trained first (or give --teacher_weights)")
    _train_alone(lesson, setting, data, display)
    return trained(str(lesson.run.folder), data, options.teacher_anatomy, device)


def measure(options: EvaluateOptions, setting: Setting, recipe: Recipe, data: Data, display: Display) -> None:
    """Measure a trained network on the held-out images of a data set."""
    device = setting.torch_device()
    if Path(options.model).expanduser().exists() and ":" not in options.model:
        net = trained(options.model, data, None, device)
    elif options.weights is None:
        raise ValueError(f"{options.model} is no folder of a run; for a network by name give its --weights as well")
    else:
        source = NetworkSource(options.model, options.weights)
        net = Teacher(source.tapped(source.build(data, setting.seed).to(device), data), source.name)
    scores = evaluate(net.net.model, data.test, device)
    if scores.logits.shape[1] != len(data.classes):
        known = scores.logits.shape[1]
        raise ValueError(f"{options.model} tells {known} classes apart and {data.name} has {len(data.classes)}")
    parameters, macs = size_of(net.net.model, data.info.image_size)
    display.console.print(comparison([Line(net.short, parameters, macs, scores.top1)], data.describe()))
    display.say(f"top-5 {scores.top5:.2f} %   cross-entropy {scores.loss:.4f}   {len(scores.labels):,} images")


def show(what: str, display: Display) -> None:
    """The catalogue of methods, the zoo, or the data sets."""
    if what == "methods":
        methods = [(name, _first_line(cls), _weight(cls)) for name, cls in catalogue().items()]
        display.console.print(listing(("method", "", "weight"), methods))
        display.say("combine them: --methods 'CE, KD(temperature=2), AT'; your own: --methods 'CE, my_kd.py:MyKD'")
    elif what == "models":
        models = [(name, f"{sum(p.numel() for p in build(100).parameters()):,}") for name, build in MODELS.items()]
        display.console.print(listing(("model", "parameters (100 classes)"), models))
        display.say(
            "and wrn_D_W for any D = 6n + 4, timm:NAME, torchvision:NAME, package.module:callable, file.py:callable"
        )
    else:
        display.console.print(listing(("data", ""), [(name, _first_line(read)) for name, read in DATASETS.items()]))
        display.say("or a folder: CIFAR archives, Hugging Face parquet files, or train/CLASS/*.jpg and val/CLASS/*.jpg")


_LISTS = ("methods", "models", "data")


def _first_line(documented: object) -> str:
    return (documented.__doc__ or "").strip().partition("\n")[0]


def _weight(cls: type) -> str:
    default = signature(cls).parameters.get("weight")
    return "" if default is None or default.default is default.empty else f"{default.default:g}"


@dataclass(frozen=True)
class _Command:
    """A command that works on data: what it does, and where its options come from."""

    act: Callable[[Any, Setting, Recipe, Data, Display], None]
    options: type[Any]


_COMMANDS = {
    "train": _Command(train, TrainOptions),
    "distill": _Command(distill, DistillOptions),
    "evaluate": _Command(measure, EvaluateOptions),
}


def run(command: str, arguments: Sequence[str]) -> int:
    """A command from its words to its exit code."""
    display = Display()
    try:
        if command == "list":
            show(*_list_words(arguments), display)
        else:
            _act(command, arguments, display)
    except (Stopped, KeyboardInterrupt) as stop:
        return _refuse(str(stop) or "interrupted; the same command goes on from the last save")
    except (ValueError, ArithmeticError) as error:
        if os.environ.get("STILLHOUSE_TRACEBACK"):
            raise
        return _refuse(str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT):
            raise
        where = f" ({error.filename})" if error.filename else ""
        return _refuse(f"{error.strerror}{where}: nothing that was saved is lost; make room or choose another --folder")
    return 0


def _refuse(sentence: str) -> int:
    sys.stderr.write(f"stillhouse: {sentence}\n")
    return 2


def _list_words(arguments: Sequence[str]) -> tuple[str]:
    parser = ArgumentParser(prog="stillhouse list", description="Show what there is.", exit_on_error=False)
    parser.add_argument("what", choices=_LISTS, nargs="?", default="methods", help="which list")
    try:
        return (str(parser.parse_args(list(arguments)).what),)
    except ArgumentError as error:
        raise ValueError(f"stillhouse list shows {', '.join(_LISTS)} ({error})") from None


def _act(command: str, arguments: Sequence[str], display: Display) -> None:
    act, options_class = _COMMANDS[command].act, _COMMANDS[command].options
    values = _parse(command, options_class, arguments)
    options, setting = _take(options_class, values), _take(Setting, values)
    setting.torch_device()
    recipe = _take(Recipe, {**values, "epochs": values["epochs"] or 1})
    if isinstance(options, DistillOptions):  # what can be refused at once is refused before data are read
        parse(options.methods if isinstance(options.methods, str) else ", ".join(options.methods))
    data = setting.load(recipe.batch_size)
    if values["epochs"] is None:
        recipe = dataclasses.replace(recipe, epochs=epochs_for(data))
    display.say(data.describe())
    act(options, setting, recipe, data, display)


def _parse(command: str, options: type[Any], arguments: Sequence[str]) -> dict[str, Any]:
    act = _COMMANDS[command].act
    parser = ArgumentParser(
        prog=f"stillhouse {command}", description=act.__doc__, exit_on_error=False, allow_abbrev=False
    )
    parser.add_argument("--config", action="config", help="a run's config.yaml, or part of one; later options win")
    known = {"config"}
    for group in (options, Setting, Recipe):
        skip = set(_POSITIONAL.get(command, ()))
        known |= set(parser.add_class_arguments(group, None, skip=skip & {f.name for f in dataclasses.fields(group)}))
    for name in _POSITIONAL.get(command, ()):
        parser.add_argument(name, help="the folder of a finished run, a safetensors file of one, or a network's name")
    parser.set_defaults({"epochs": None})
    try:
        read: Namespace = parser.parse_args([*_listed(arguments)])
    except ArgumentError as error:
        raise ValueError(_sentence(command, str(error), sorted(known))) from None
    return dict(vars(parser.instantiate(read)))


_POSITIONAL = {"evaluate": ("model",)}


def _listed(arguments: Sequence[str]) -> list[str]:
    """Lists may be typed without brackets: --milestones 150,180,210."""
    return [
        f"[{word}]" if before == "--milestones" and not word.startswith("[") else word
        for before, word in zip(["", *arguments], arguments, strict=False)
    ]


def _sentence(command: str, error: str, known: Sequence[str]) -> str:
    error = re.sub(r"\s+", " ", error)
    unknown = re.search(r"[Uu]nrecognized arguments: --([\w.]+)", error)
    if unknown:
        return f"stillhouse {command} has no option --{unknown[1]}.{nearest(unknown[1], known)} See --help"
    wrong = re.search(r'Parser key "([\w.]+)": (.*)', error)
    return f"--{wrong[1]}: {wrong[2]}" if wrong else error


def _take(cls: type[Any], values: Mapping[str, Any]) -> Any:
    return cls(**{field.name: values[field.name] for field in dataclasses.fields(cls)})

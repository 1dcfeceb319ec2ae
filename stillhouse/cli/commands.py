"""What the commands do, once their options are read."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..analysis.tables import Line, comparison
from ..anatomy import Anatomy
from ..checkpoints import about_weights, load_weights
from ..data import DATASETS, Data
from ..methods.parse import MethodSpec, parse
from ..models import MODELS
from ..models.spec import PRETRAINED, NetworkSource
from ..spelling import counted
from ..training.classroom import Classroom
from ..training.compile import compile_room, keep_large_blocks
from ..training.config import TrainConfig
from ..training.evaluation import Scores, evaluate, size_of
from ..training.loop import fit
from ..training.memory import split_by_memory
from ..training.progress import Display
from ..training.student import StudentTrainer
from ..training.teacher import Teacher, examine, trained
from ..training.teacher_checks import check_classes, normalisation_note
from .build import Setting, rehearse, trainer_alone, trainer_taught
from .recipes import Published, find


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
        recipe: Settings as they were published (`stillhouse list recipes`); whatever else is typed wins over them.
        baseline: Also train the student by itself, to see what distillation gained.
        teacher_anatomy: Where the teacher's landmarks are, if they are to be other than found.
        student_anatomy: The same for the student.
    """

    teacher: str = "resnet32"
    teacher_weights: str | None = None
    student: str = "resnet8"
    student_weights: str | None = None
    methods: str | list[str] = "CE(weight=0.1), KD(weight=0.9)"
    recipe: str | None = None
    baseline: bool = True
    teacher_anatomy: Anatomy | None = None
    student_anatomy: Anatomy | None = None

    def method_specs(self) -> list[MethodSpec]:
        """Raises ValueError where `methods` is no list of methods."""
        return parse(self.methods if isinstance(self.methods, str) else ", ".join(self.methods))

    def needs_strong_view(self) -> bool:
        """Whether a method wants to see each image a second time, strongly augmented."""
        return any(method.build().needs_strong_view for method in self.method_specs())


@dataclass(frozen=True)
class EvaluateOptions:
    """What to measure.

    Args:
        model: The folder of a finished run, a safetensors file of one, or a network as for `stillhouse train`.
        weights: A file with the network's weights, where `model` is a name.
    """

    model: str
    weights: str | None = None


def train(options: TrainOptions, setting: Setting, recipe: TrainConfig, data: Data, display: Display) -> None:
    """Train a network by itself."""
    source = NetworkSource(options.model, options.weights, options.anatomy)
    trainer = trainer_alone(source, data, recipe, setting)
    _train_alone(trainer, setting, data, display)
    parameters, macs = size_of(trainer.model, data.info.image_size)
    line = Line(source.short, parameters, macs, *_outcome(trainer))
    display.console.print(comparison([line], _title(data, recipe, setting)))
    display.say(f"kept in {trainer.run.folder}")


def _train_alone(trainer: StudentTrainer, setting: Setting, data: Data, display: Display) -> None:
    if trainer.run.is_done:
        display.say(f"{trainer.name}: already trained, {trainer.run.folder}")
        return
    display.say(f"{trainer.name}: {counted(trainer.epochs, 'epoch')}, {trainer.run.folder}")
    _fit(Classroom(None, [trainer]), data, setting, display)


def _fit(room: Classroom, data: Data, setting: Setting, display: Display, scores: Scores | None = None) -> None:
    keep_large_blocks()
    note = compile_room(room, setting.torch_device().type) if setting.compile else None
    if note:
        display.say(f"note: {note}")
    for part in split_by_memory(room, data.info, setting.torch_device(), setting.memory_budget):
        if len(part.trainers) < len(room.trainers):
            names = " and ".join(trainer.name for trainer in part.trainers)
            display.say(f"note: there is too little memory for all students at once; now {names}")
        fit(part, data, setting.torch_device(), display, scores, setting.shelf)


def distill(options: DistillOptions, setting: Setting, recipe: TrainConfig, data: Data, display: Display) -> None:
    """Teach a student what a teacher knows."""
    method_specs = options.method_specs()
    source = NetworkSource(options.student, options.student_weights, options.student_anatomy)
    teacher = teacher_for(options, source, setting, recipe, data, display)
    scores = examine(teacher, setting, data, display)
    note = normalisation_note(teacher.about, data)
    if note:
        display.say(f"note: {note}")

    config = {key: value for key, value in dataclasses.asdict(options).items() if key != "methods"}
    taught = trainer_taught(source, teacher, method_specs, data, recipe, setting, config)
    trainers = [trainer_alone(source, data, recipe, setting), taught] if options.baseline else [taught]
    display.say(f"teacher {teacher.short}: {scores.top1:.2f} % top-1; {teacher.net.anatomy.describe()}")
    display.say(f"student {source.short}: {taught.distillation.student.anatomy.describe()}")
    for line in taught.distillation.describe_spots():
        display.say(f"  {line}")
    for trainer in trainers:
        display.say(f"{trainer.name}: {'already trained, ' if trainer.run.is_done else ''}{trainer.run.folder}")
    waiting = [trainer for trainer in trainers if not trainer.run.is_done]
    if waiting:
        _fit(Classroom(teacher.net, waiting), data, setting, display, scores)
    display.console.print(_table(teacher, trainers, setting, recipe, data, display))
    if options.recipe and find(options.recipe).top1:
        here = {**dataclasses.asdict(recipe), "student": options.student, "teacher": teacher.name}
        here |= {"methods": [str(method) for method in method_specs], "data": data.name}
        display.say(_published(find(options.recipe), here))


def _published(run: Published, here: Mapping[str, object]) -> str:
    """What its authors report, and why that may be something else than what was run here."""
    other = [name for name in run.differs(here) if name != "data" or run.options["data"] in DATASETS]
    return f"published for {run.name}: {run.report()}" + (f"; here with other {', '.join(other)}" if other else "")


def _table(
    teacher: Teacher,
    trainers: Sequence[StudentTrainer],
    setting: Setting,
    recipe: TrainConfig,
    data: Data,
    display: Display,
) -> Any:
    """The teacher and its students as they are on the test images now."""
    device = setting.torch_device()
    outputs = teacher.scores(data.test, device)
    lines = [Line(f"{teacher.short} (teacher)", *size_of(teacher.net.model, data.info.image_size), outputs.top1)]
    for trainer in trainers:
        load_weights(trainer.model, trainer.run.folder / "student.safetensors")
        scores = evaluate(trainer.model.to(device), data.test, device)
        _, best = _outcome(trainer)
        size = size_of(trainer.model, data.info.image_size)
        lines.append(Line(trainer.name, *size, scores.top1, best, scores.agreement(outputs)))
    return comparison(lines, _title(data, recipe, setting))


def _title(data: Data, recipe: TrainConfig, setting: Setting) -> str:
    best = "; best epoch by the validation images" if data.validation else ""
    return f"{data.name}, {counted(recipe.epochs, 'epoch')}, seed {setting.seed}{best}"


def _outcome(trainer: StudentTrainer) -> tuple[float, float]:
    result = trainer.run.result
    return float(str(result["top1"])), float(str(result["best_top1"]))


def teacher_for(
    options: DistillOptions,
    student: NetworkSource,
    setting: Setting,
    recipe: TrainConfig,
    data: Data,
    display: Display,
    may_train: bool = True,
) -> Teacher:
    """The trained teacher: of a run, from a file, or trained now."""
    device = setting.torch_device()
    if _is_trained(options.teacher):
        if options.teacher_weights:
            raise ValueError(f"--teacher {options.teacher} already has weights; leave out --teacher_weights")
        return trained(options.teacher, data, options.teacher_anatomy, device)
    source = NetworkSource(options.teacher, options.teacher_weights, options.teacher_anatomy)
    if source.weights:
        return _with_weights(source, setting, data)
    trainer = trainer_alone(source, data, recipe, setting)
    if not trainer.run.is_done and not may_train:
        raise ValueError(f"the teacher {source.name} is not in {setting.folder} any more; give its folder as --teacher")
    if not trainer.run.is_done:
        rehearse(
            student, source, options.method_specs(), data, setting
        )  # what is refused shall not wait for the training
        display.say(f"teacher {source.name} has no weights yet: it is trained first (or give --teacher_weights)")
    _train_alone(trainer, setting, data, display)
    return trained(str(trainer.run.folder), data, options.teacher_anatomy, device)


def _with_weights(source: NetworkSource, setting: Setting, data: Data) -> Teacher:
    model = source.build(data, setting.seed).to(setting.torch_device()).eval()
    known = {} if source.weights == PRETRAINED else about_weights(Path(str(source.weights)).expanduser())
    return Teacher(source.tapped(model, data), source.name, known)


def _is_trained(name: str) -> bool:
    """Whether this is the place of a trained network, not the name of one; names of the zoo win over folders."""
    place = Path(name).expanduser()
    if not place.exists() and (os.sep in name or place.suffix in (".safetensors", ".pth", ".pt")) and ":" not in name:
        raise ValueError(f"there is no {name}; give the folder of a finished run, or a network by name")
    return place.exists() and ":" not in name and name not in MODELS


def measure(options: EvaluateOptions, setting: Setting, recipe: TrainConfig, data: Data, display: Display) -> None:
    """Measure a trained network on the held-out images of a data set."""
    device = setting.torch_device()
    if _is_trained(options.model):
        if options.weights:
            raise ValueError(f"{options.model} already has weights; leave out --weights")
        net = trained(options.model, data, None, device)
    elif options.weights is None:
        raise ValueError(f"{options.model} is a network without weights; give its --weights, or the folder of a run")
    else:
        net = _with_weights(NetworkSource(options.model, options.weights), setting, data)
    scores = evaluate(net.net.model.to(device), data.test, device)
    if not scores.logits.isfinite().all():
        raise ValueError(f"the network {net.name} answers with NaN or infinity: its weights are spoilt, give others")
    check_classes(f"the network {net.name}", scores, data, net.about)
    parameters, macs = size_of(net.net.model, data.info.image_size)
    display.console.print(comparison([Line(net.short, parameters, macs, scores.top1)], data.name))
    display.say(f"top-5 {scores.top5:.2f} %   cross-entropy {scores.loss:.4f}   {len(scores.labels):,} images")

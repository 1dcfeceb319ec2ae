"""`stillhouse distill`: a student that learns from a teacher, and the same student by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..anatomy import Anatomy
from ..checkpoints.load import Say
from ..data import Data
from ..methods.parse import MethodSpec, parse
from ..models.spec import NetworkSource
from ..report.recipes import find
from ..training.classroom import Classroom
from ..training.progress import Display
from ..training.student import StudentTrainer
from ..training.teachers.examine import examine
from ..training.teachers.located import Located, about_place, locate, place_of
from ..training.teachers.teacher import Teacher, prepare, trained
from .arguments import named_values
from .config import CacheOptions, MemoryOptions, PrecisionOptions, RunOptions
from .data_options import note_on_reading, reading_of
from .networks import TeacherOptions
from .runs.build import trainer_alone, trainer_taught
from .runs.other_runs import notes_on_other_runs
from .summary import ahead, next_steps
from .summary.results import gain, into_card, measure, published, table, warning
from .train import fit_alone, fit_room
from .words.run_names import NameOptions, ShowOptions
from .words.seeds import read_seeds


@dataclass(frozen=True)
class DistillOptions:
    """Teacher, student and methods.

    Args:
        teacher: The folder of a finished run, or a network as for --student; without --teacher_weights it is trained
            first, as `stillhouse train` would.
        teacher_weights: A file with the teacher's trained weights, or `pretrained` for timm's or torchvision's own.
        student: A network: of the zoo (`stillhouse list models`), `timm:NAME`, `torchvision:NAME`,
            `package.module:callable` or `file.py:callable`.
        student_weights: A file of weights to start from, or `pretrained` for timm's or torchvision's own.
        student_weights_key: For a file with several sets of weights: part of the names of the student's.
        student_skip_head: Start from a file's weights even if its classifier is for other classes, and train a new
            classifier.
        methods: Methods that the student learns by (`stillhouse list methods`); their losses are added up: CE,KD,AT or
            'CE + KD(temperature=2) + my_kd.py:MyKD'. By default weights and other arguments have their papers' values.
            Semicolons, or --methods once more, make several students side by side: 'CE + KD; CE + AT'.
        seeds: Number of seeds, the first of which is --seed, or the seeds: 0,1,2. By default --seed alone.
        recipe: Published settings (`stillhouse list recipes`); options that you give win over them.
        baseline: Also train the student by itself, to see what distillation gained.
        teacher_anatomy: Override the detected layer names of the teacher.
        student_anatomy: The same for the student.
    """

    teacher: str = "resnet32"
    teacher_weights: str | None = None
    student: str = "resnet8"
    student_weights: str | None = None
    student_weights_key: str | None = None
    student_skip_head: bool = False
    methods: str | list[str] = "CE(weight=0.1), KD(weight=0.9)"
    seeds: int | str | None = None
    recipe: str | None = None
    baseline: bool = True
    teacher_anatomy: Anatomy | None = None
    student_anatomy: Anatomy | None = None

    def __post_init__(self) -> None:
        self.numbers_of_seeds(0)

    def numbers_of_seeds(self, first: int) -> list[int]:
        """Return the seeds, of which the first is `first` if only their number is given."""
        return [first] if self.seeds is None else read_seeds(self.seeds, first)

    def method_specs(self) -> list[MethodSpec]:
        """Parse `methods`.

        Raises:
            ValueError: If it is not a list of methods.
        """
        return parse(self.methods if isinstance(self.methods, str) else ", ".join(self.methods))

    def student_source(self) -> NetworkSource:
        key, skip_head = self.student_weights_key, self.student_skip_head
        return NetworkSource(
            self.student, self.student_weights, self.student_anatomy, key, skip_head, option="student_"
        )


@dataclass(frozen=True)
class Distill:
    """Train a student to match a teacher."""

    distillation: DistillOptions
    knowledge: TeacherOptions
    naming: NameOptions
    shown: ShowOptions
    run: RunOptions
    precision: PrecisionOptions
    cache: CacheOptions
    memory: MemoryOptions

    @staticmethod
    def implied(values: Mapping[str, Any], typed: Collection[str]) -> Mapping[str, object]:
        """Return the options of a published recipe, and those with which the teacher's images were read."""
        recipe = dict(find(values["recipe"]).options) if values.get("recipe") else {}
        return reading_of(about_place(place_of(values["teacher"], values["teacher_weights"]))) | recipe

    def for_data(self, data: Data, size: int | None) -> Distill:
        """Return the command with the values that depend on the data: epochs, and a size that the teacher decided."""
        run = self.run.of_size(size) if size == data.info.image_size else self.run
        return dataclasses.replace(self, run=run.for_data(data))

    def with_seed(self, seed: int) -> Distill:
        """Return the command with another seed."""
        output = dataclasses.replace(self.run.output, seed=seed)
        return dataclasses.replace(self, run=dataclasses.replace(self.run, output=output))

    def teacher_source(self) -> NetworkSource:
        asked = self.distillation
        return self.knowledge.source(asked.teacher, asked.teacher_weights, asked.teacher_anatomy)

    def read_teacher(self, found: Located, data: Data, display: Display) -> Teacher:
        """Read a teacher that has weights, its classes in the order that the options give."""
        found = dataclasses.replace(found, source=self.knowledge.for_data(found.source, data))
        display.note(note_on_reading(found.source.short, found.about, self.run.data))
        return prepare(found, data, self.run.device.torch_device(), self.run.output.seed, say=display.note)


@dataclass(frozen=True)
class Opened:
    """Data and teacher of a distillation.

    Args:
        teacher: None if it was not needed, or has no weights yet.
        size: Of the images, in px, where the teacher decides it.
        is_trained: True if the teacher has weights, whether it was needed or not.
    """

    data: Data
    teacher: Teacher | None
    size: int | None
    is_trained: bool

    def complete(self, command: Distill) -> Distill:
        """Return the options with what the data and the teacher decide filled in."""
        return command.for_data(self.data, self.size)


def opened(command: Distill, display: Display, strong_view: bool = False, needs_teacher: bool = True) -> Opened:
    """Load the data of a distillation, and its teacher if it is needed and has weights.

    Raises:
        ValueError: If they cannot be read.
    """
    found = locate(command.teacher_source())
    is_trained = bool(found.source.weights)
    data = command.run.load(display, strong_view, found.input if is_trained else None)
    if not (needs_teacher and is_trained):
        return Opened(data, None, found.input.size, is_trained)
    teacher = command.read_teacher(found, data, display)
    teacher.net.precision = command.precision.dtype
    return Opened(data, teacher, found.input.size, is_trained)


def distill(command: Distill, display: Display) -> None:
    asked = command.distillation
    command.run.tracking.check()
    display.all_terms = command.shown.terms == "all"
    method_specs = asked.method_specs()  # refuse what can be refused before data are read
    shared = opened(command, display, any(method.build().needs_strong_view for method in method_specs))
    command, data = shared.complete(command), shared.data
    options, device = command.run, command.run.device.torch_device()
    teacher, is_planned = shared.teacher, False
    if teacher is None:
        teacher, is_planned = train_teacher(command, method_specs, data, display)
    scores = examine(teacher, command.precision.dtype, device, data, display, command.knowledge.trust_teacher)

    trainers = students_of(teacher, command, method_specs, data, display.note)
    taught = trainers[-1]
    measured = "top-1 not measured" if scores is None else f"{scores.top1:.2f} % top-1"
    display.say(f"teacher {teacher.short}: {measured}; {teacher.net.anatomy.describe()}")
    display.say(f"student {asked.student_source().short}: {taught.distillation.student.anatomy.describe()}")
    if len(method_specs) > 1:
        display.say(next_steps.sum_of(method_specs))
    for line in taught.distillation.describe_spots():
        display.say(f"  {line}")
    for trainer in trainers:
        display.say(f"{trainer.name}: {'already trained, ' if trainer.run.is_done else ''}{trainer.run.folder}")
    for note in notes_on_other_runs(taught, "to continue from its weights instead, add --student_weights {weights}"):
        display.note(note)
    waiting = [trainer for trainer in trainers if not trainer.run.is_done]
    if waiting:
        store = command.cache.store(options.output.folder)
        if not is_planned:
            display.set_parts([])
            display.say(ahead.plan(None, waiting, ahead.seconds_to_go(teacher.net, waiting, data, device)))
        room = Classroom(teacher.net, waiting)
        fit_room(room, data, options, display, scores, store, command.memory.memory_budget)
    results = measure(teacher, trainers, data, options)
    display.console.print(table(results, teacher, data, options))
    display.say(gain(results, options.output.seed))
    display.note(warning(results))
    into_card(results, teacher, options.output.seed)
    if asked.recipe and find(asked.recipe).top1:
        here = {**dataclasses.asdict(options.config), "student": asked.student, "teacher": teacher.name}
        here |= {"methods": [str(method) for method in method_specs], "data": data.name}
        display.say(published(find(asked.recipe), here))
    next_steps.show(display, taught.run, named_values(command))


def train_teacher(
    command: Distill, methods: Sequence[MethodSpec], data: Data, display: Display
) -> tuple[Teacher, bool]:
    """Train a teacher that has no weights yet, as `stillhouse train` would, unless its run is done.

    Returns:
        The teacher, and True if it was trained now and the plan was shown.
    """
    source, options = command.teacher_source(), command.run
    trainer = trainer_alone(source, data, options, say=display.note)
    for note in notes_on_other_runs(trainer, "to use that teacher as it is, add --teacher {folder}"):
        display.note(note)
    is_new = not trainer.run.is_done
    if is_new:
        untrained = Teacher(source.tapped(source.build(data, options.output.seed), data), source.name)
        students = students_of(untrained, command, methods, data)  # so that no refusal comes after hours
        display.say(f"teacher {source.name} has no weights yet: it is trained first (or give --teacher_weights)")
        device = options.device.torch_device()
        seconds = [ahead.seconds_to_go(None, [trainer], data, device)]
        seconds += [ahead.seconds_to_go(untrained.net, students, data, device)]
        display.set_parts(seconds)
        display.say(ahead.plan(trainer, students, sum(seconds)))
    fit_alone(trainer, data, options, display)
    path, device = str(trainer.run.folder), options.device.torch_device()
    return trained(path, data, source.anatomy, device, typed=[source.name]), is_new


def students_of(
    teacher: Teacher, command: Distill, methods: Sequence[MethodSpec], data: Data, say: Say | None = None
) -> list[StudentTrainer]:
    """Build the baseline, if it is wanted, and the student of a teacher."""
    source, options = command.distillation.student_source(), command.run
    config, name = named_values(command), command.naming.name
    taught = trainer_taught(source, teacher, methods, data, options, config, name, say=say)
    return [trainer_alone(source, data, options, say=say), taught] if command.distillation.baseline else [taught]

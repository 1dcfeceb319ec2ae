"""`stillhouse distill`: a student that learns from a teacher, and the same student by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from ..analysis.tables import Line, comparison
from ..anatomy import Anatomy
from ..checkpoints import load_weights
from ..data import DATASETS, Data
from ..methods.parse import MethodSpec, parse
from ..models.spec import NetworkSource
from ..report.recipes import Recipe, find
from ..training.classroom import Classroom
from ..training.evaluation import evaluate, size_of
from ..training.progress import Display
from ..training.student import StudentTrainer
from ..training.teachers.examine import examine
from ..training.teachers.located import Located, about_place, locate, place_of
from ..training.teachers.teacher import Teacher, prepare, trained
from .arguments import named_values
from .config import CacheOptions, MemoryOptions, PrecisionOptions, RunOptions
from .data_options import note_on_reading, reading_of
from .networks import TeacherOptions
from .runs.build import check_fit, trainer_alone, trainer_taught
from .runs.other_epochs import note_on_other_epochs
from .train import fit_alone, fit_room, outcome, title


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
        methods: Methods that the student learns by (`stillhouse list methods`): CE,KD,AT or 'CE, KD(temperature=2),
            my_kd.py:MyKD'. By default weights and other arguments have their papers' values.
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
    recipe: str | None = None
    baseline: bool = True
    teacher_anatomy: Anatomy | None = None
    student_anatomy: Anatomy | None = None

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
    method_specs = asked.method_specs()  # refuse what can be refused before data are read
    shared = opened(command, display, any(method.build().needs_strong_view for method in method_specs))
    command, data = shared.complete(command), shared.data
    options, device = command.run, command.run.device.torch_device()
    source = asked.student_source()
    teacher = shared.teacher or train_teacher(command, method_specs, data, display)
    scores = examine(teacher, command.precision.dtype, device, data, display, command.knowledge.trust_teacher)

    taught = trainer_taught(source, teacher, method_specs, data, options, named_values(command), say=display.note)
    trainers = [trainer_alone(source, data, options, say=display.note), taught] if asked.baseline else [taught]
    measured = "top-1 not measured" if scores is None else f"{scores.top1:.2f} % top-1"
    display.say(f"teacher {teacher.short}: {measured}; {teacher.net.anatomy.describe()}")
    display.say(f"student {source.short}: {taught.distillation.student.anatomy.describe()}")
    for line in taught.distillation.describe_spots():
        display.say(f"  {line}")
    for trainer in trainers:
        display.say(f"{trainer.name}: {'already trained, ' if trainer.run.is_done else ''}{trainer.run.folder}")
    display.note(note_on_other_epochs(taught, "to continue from its weights instead, add --student_weights {weights}"))
    waiting = [trainer for trainer in trainers if not trainer.run.is_done]
    if waiting:
        store = command.cache.store(options.output.folder)
        room = Classroom(teacher.net, waiting)
        fit_room(room, data, options, display, scores, store, command.memory.memory_budget)
    display.console.print(_table(teacher, trainers, data, options))
    if asked.recipe and find(asked.recipe).top1:
        here = {**dataclasses.asdict(options.config), "student": asked.student, "teacher": teacher.name}
        here |= {"methods": [str(method) for method in method_specs], "data": data.name}
        display.say(_published(find(asked.recipe), here))


def train_teacher(command: Distill, methods: Sequence[MethodSpec], data: Data, display: Display) -> Teacher:
    """Train a teacher that has no weights yet, as `stillhouse train` would, unless its run is done."""
    source, options = command.teacher_source(), command.run
    trainer = trainer_alone(source, data, options, say=display.note)
    display.note(note_on_other_epochs(trainer, "to use that teacher as it is, add --teacher {folder}"))
    if not trainer.run.is_done:
        check_fit(command.distillation.student_source(), source, methods, data, options.output.seed)
        display.say(f"teacher {source.name} has no weights yet: it is trained first (or give --teacher_weights)")
    fit_alone(trainer, data, options, display)
    return trained(str(trainer.run.folder), data, source.anatomy, options.device.torch_device(), typed=[source.name])


def _published(recipe: Recipe, here: Mapping[str, object]) -> str:
    """Return the result that its authors report, and the settings that differ here."""
    other = [name for name in recipe.differs(here) if name != "data" or recipe.options["data"] in DATASETS]
    different = f"; here with different {', '.join(other)}" if other else ""
    return f"published for {recipe.name}: {recipe.report()}{different}"


def _table(teacher: Teacher, trainers: Sequence[StudentTrainer], data: Data, options: RunOptions) -> Table:
    """Return a table of the teacher and its students, measured on the test images."""
    device, size = options.device.torch_device(), data.info.image_size
    outputs = None if teacher.net.foreign_logits else teacher.scores(data.test, device)
    name = f"{teacher.short} (teacher)"
    lines = [Line(name, *size_of(teacher.net.model, size), None if outputs is None else outputs.top1)]
    for trainer in trainers:
        load_weights(trainer.model, trainer.run.folder / "student.safetensors")
        scores = evaluate(trainer.model.to(device), data.test, device)
        _, best = outcome(trainer)
        agreement = None if outputs is None else scores.agreement(outputs)
        lines.append(Line(trainer.name, *size_of(trainer.model, size), scores.top1, best, agreement))
    return comparison(lines, title(data, options))

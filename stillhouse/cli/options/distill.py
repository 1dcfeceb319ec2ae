"""Options of `stillhouse distill`."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ...anatomy import Anatomy
from ...ranges import TYPE_CHECKING
from ...report.recipes import find
from ...training.teachers.places import about_place, place_of
from ..groups.data import note_on_reading, reading_of
from ..groups.length import TeacherEpochOptions
from ..groups.networks import TeacherOptions
from ..groups.run import CacheOptions, MemoryOptions, PrecisionOptions, RunOptions
from ..words.run_names import NameOptions, ShowOptions
from ..words.seeds import read_seeds
from ..words.suited import IN_HELP, suited

if TYPE_CHECKING:
    from ...data import Data
    from ...methods.spec import MethodSpec
    from ...models.spec import NetworkSource
    from ...training.progress import Display
    from ...training.teachers.located import Located
    from ...training.teachers.teacher import Teacher


@dataclass(frozen=True)
class DistillOptions:
    """Teacher, student and methods.

    Args:
        teacher: The folder of a finished run, or a network as for --student; without --teacher_weights it is trained
            first, as `stillhouse train` would. By default resnet32, for digits resnet20.
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
        from ...methods.parse import parse

        return parse(self.methods if isinstance(self.methods, str) else ", ".join(self.methods))

    def student_source(self) -> NetworkSource:
        from ...models.spec import NetworkSource

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
    teacher_length: TeacherEpochOptions
    precision: PrecisionOptions
    cache: CacheOptions
    memory: MemoryOptions

    @staticmethod
    def defaults_in_words() -> Mapping[str, str]:
        """Return words for the defaults that are not those of the options themselves."""
        return IN_HELP

    @staticmethod
    def implied(values: Mapping[str, Any], typed: Collection[str]) -> Mapping[str, object]:
        """Return the defaults for the data, how the teacher's images were read, and the options of a recipe."""
        recipe = dict(find(values["recipe"]).options) if values.get("recipe") else {}
        read = reading_of(about_place(place_of(values["teacher"], values["teacher_weights"])))
        return suited(values, typed) | read | recipe

    def for_data(self, data: Data, size: int | None) -> Distill:
        """Return the command with the values that depend on the data: epochs, and a size that the teacher decided."""
        run = self.run.of_size(size) if size == data.info.image_size else self.run
        return dataclasses.replace(self, run=run.for_data(data))

    def with_seed(self, seed: int) -> Distill:
        """Return the command with another seed."""
        output = dataclasses.replace(self.run.output, seed=seed)
        return dataclasses.replace(self, run=dataclasses.replace(self.run, output=output))

    def teacher_run(self) -> RunOptions:
        """Return the options that a teacher without weights is trained with.

        Raises:
            ValueError: If it has fewer epochs than the learning rate needs to rise.
        """
        return dataclasses.replace(self.run, config=self.teacher_length.of(self.run.config))

    def check_networks(self) -> None:
        """Refuse networks and files of weights that there are not, before data are read.

        Raises:
            ValueError: If there are none.
        """
        from ...training.teachers.places import is_place

        self.distillation.student_source().check()
        if not is_place(self.distillation.teacher):
            self.teacher_source().check()

    def teacher_source(self) -> NetworkSource:
        asked = self.distillation
        return self.knowledge.source(asked.teacher, asked.teacher_weights, asked.teacher_anatomy)

    def read_teacher(self, found: Located, data: Data, display: Display) -> Teacher:
        """Read a teacher that has weights, its classes in the order that the options give."""
        from ...training.teachers.teacher import prepare

        found = dataclasses.replace(found, source=self.knowledge.for_data(found.source, data))
        display.note(note_on_reading(found.source.short, found.about, self.run.data))
        return prepare(found, data, self.run.device.torch_device(), self.run.output.seed, say=display.note)

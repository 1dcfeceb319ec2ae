"""Options of `stillhouse grid`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from ...ranges import TYPE_CHECKING, Range, check_options
from ..groups.length import TeacherEpochOptions
from ..groups.networks import TeacherOptions
from ..groups.rooms import RoomOptions
from ..groups.run import CacheOptions, MemoryOptions, PrecisionOptions, RunOptions
from ..words.seeds import read_seeds
from ..words.suited import IN_HELP

if TYPE_CHECKING:
    from ...grid.axes import Axis

VALIDATION = 0.1  # when it is left out


@dataclass(frozen=True)
class GridOptions:
    """Student, and the settings to vary.

    Args:
        teacher: As for stillhouse distill.
        teacher_weights: A file with its trained weights, or `pretrained` for timm's or torchvision's own.
        student: As for stillhouse distill.
        methods: Methods that the student learns by, separated by commas or +.
        recipe: Published settings to begin with (`stillhouse list recipes`); options that are typed win over them.
        grid: What to vary, separated by semicolons: arguments of methods and of the training with their values, such as
            'KD.temperature=2,4,8; lr=0.01..0.1:5log; CE.weight/KD.weight=0.2/0.8,0.4/0.6', and the student and its
            methods, 'student=resnet8,resnet14; methods=CE + KD,CE + AT'. LOW..HIGH:5 are five numbers in equal steps,
            :5log in equal factors; names with / between them change together. In a file a mapping from names to lists.
        seeds: Number of seeds of each cell, which is judged by their mean (the first is --seed), or the seeds: 0,1,2.
        test: Measure the chosen cell on the test images, or all, which is not for choosing.
        search: Try settings that Optuna's TPE proposes by the outcomes of those before (pip install
            'stillhouse[search]') instead of every combination; ranges may then be without a number of values. With
            halving, those that start together are compared after parts of their epochs (8 after a ninth and a third),
            and only the best third of all that came so far goes on; the others stay interrupted runs, never chosen.
        trials: Settings that a search tries.
        together: Settings that a search proposes at a time, to be trained side by side.
    """

    teacher: str = "resnet32"
    teacher_weights: str | None = None
    student: str = "resnet8"
    methods: str | list[str] | None = None
    recipe: str | None = None
    grid: str | list[str] | dict[str, Any] | None = None
    seeds: int | str = 1
    test: Literal["chosen", "all"] = "chosen"
    search: Literal["tpe", "halving"] | None = None
    trials: Annotated[int, Range("between 1 and 10,000", 1, 10_000)] = 40
    together: Annotated[int, Range("between 1 and 1000", 1, 1000)] = 8

    def __post_init__(self) -> None:
        check_options(self)
        read_seeds(self.seeds, 0)

    @property
    def axes(self) -> list[Axis]:
        from ...grid.axes import read_axes

        return read_axes(self.grid if self.grid is not None else "")


@dataclass(frozen=True)
class Grid:
    """Train a student with every combination of some settings; validation images choose one, never the test images."""

    grid: GridOptions
    rooms: RoomOptions
    knowledge: TeacherOptions
    run: RunOptions
    teacher_length: TeacherEpochOptions
    precision: PrecisionOptions
    cache: CacheOptions
    memory: MemoryOptions
    given: frozenset[str]

    @staticmethod
    def defaults_in_words() -> Mapping[str, str]:
        """Return words for the defaults that are not those of the options themselves."""
        return {**IN_HELP, "validation": f"{VALIDATION}"}

    @staticmethod
    def implied(values: Mapping[str, Any], typed: Collection[str]) -> Mapping[str, object]:
        """Return the part of the training images to hold out, which choose."""
        return {"validation": VALIDATION}

"""Options of `stillhouse bench`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...ranges import check_options
from ..groups.length import TeacherEpochOptions
from ..groups.networks import TeacherOptions
from ..groups.rooms import RoomOptions
from ..groups.run import CacheOptions, MemoryOptions, PrecisionOptions, RunOptions
from ..words.seeds import read_seeds
from ..words.suited import IN_HELP


@dataclass(frozen=True)
class BenchOptions:
    """Pairs, methods and seeds.

    Args:
        teacher: Teacher of the only pair, if there are no --pairs; as for stillhouse distill.
        teacher_weights: A file with its trained weights, or `pretrained` for timm's or torchvision's own.
        student: Student of that pair.
        pairs: Several pairs, TEACHER-STUDENT,...; or, in a file given as --config, a list of {teacher: ..., student:
            ...} with any other options of stillhouse distill for that pair, such as teacher_weights or lr.
        methods: Methods to compare, separated by semicolons (or by commas if there are none); the losses of one are
            joined by + and written as for stillhouse distill. CE alone is the student without a teacher.
        recipes: Published settings to compare as well, without the pair (`stillhouse list recipes`): cifar100/dkd,...
        seeds: Number of seeds, the first of which is --seed, or the seeds: 0,1,2. With one seed all methods see the
            same images in the same order and start from the same weights.
    """

    teacher: str = "resnet32"
    teacher_weights: str | None = None
    student: str = "resnet8"
    pairs: str | list[dict[str, Any]] | None = None
    methods: str | list[str] | None = None
    recipes: str | list[str] | None = None
    seeds: int | str = 3

    def __post_init__(self) -> None:
        check_options(self)
        read_seeds(self.seeds, 0)
        if self.pairs is not None and self.teacher_weights:
            raise ValueError("--teacher_weights is for the only pair without --pairs; give each pair its own")
        for name in ("teacher", "student"):
            if self.pairs is not None and getattr(self, name) != getattr(BenchOptions, name):
                raise ValueError(f"--{name} is for the only pair without --pairs, which name theirs; leave one out")


@dataclass(frozen=True)
class Bench:
    """Compare methods: every method on every pair with every seed, as many students side by side as memory allows."""

    bench: BenchOptions
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
        return IN_HELP

"""Options of `stillhouse plan`."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ...plan.budget import seconds_of
from ..groups.length import TeacherEpochOptions
from ..groups.networks import TeacherOptions
from ..groups.run import CacheOptions, MemoryOptions, PrecisionOptions, RunOptions
from ..words.run_names import NameOptions, ShowOptions
from ..words.suited import IN_HELP
from .distill import Distill, DistillOptions
from .inspect import PictureOptions


@dataclass(frozen=True)
class PlanOptions:
    """Plan.

    Args:
        budget: Time for all of the training, such as 90s, 30m, 2h or 1d: epochs, batch size, cache and precision that
            fit into it are proposed.
        student: A network as for `stillhouse distill`, or several with commas, of which each is planned by itself.
    """

    budget: str | None = None
    student: str = DistillOptions.student

    def __post_init__(self) -> None:
        _ = self.seconds
        if not self.students:
            raise ValueError(f"--student must name a network, not {self.student!r}")
        if twice := [name for name in self.students if self.students.count(name) > 1]:
            raise ValueError(f"--student names {twice[0]} twice; leave one out")

    @property
    def seconds(self) -> float | None:
        """The budget in seconds."""
        return None if self.budget is None else seconds_of(self.budget)

    @property
    def students(self) -> list[str]:
        return [name.strip() for name in self.student.split(",") if name.strip()]


@dataclass(frozen=True)
class Plan:
    """Say what a distillation will take, and how fast its students are, without training anything.

    Pictures and tables are written into FOLDER/DATA-plan. The options are those of `stillhouse distill`.
    """

    planning: PlanOptions
    distillation: DistillOptions
    knowledge: TeacherOptions
    run: RunOptions
    teacher_length: TeacherEpochOptions
    precision: PrecisionOptions
    cache: CacheOptions
    memory: MemoryOptions
    pictures: PictureOptions
    given: frozenset[str]

    @staticmethod
    def defaults_in_words() -> Mapping[str, str]:
        """Return words for the defaults that are not those of the options themselves."""
        return IN_HELP

    @staticmethod
    def implied(values: Mapping[str, Any], typed: Collection[str]) -> Mapping[str, object]:
        """Return the defaults of the distillation."""
        return Distill.implied(values, typed)

    def distill(self, student: str) -> Distill:
        """Return the distillation of one of the students, which leaves out broken images."""
        distillation = dataclasses.replace(self.distillation, student=student)
        run = dataclasses.replace(self.run, data=dataclasses.replace(self.run.data, skip_broken=True))
        return Distill(
            distillation,
            self.knowledge,
            NameOptions(),
            ShowOptions(),
            run,
            self.teacher_length,
            self.precision,
            self.cache,
            self.memory,
        )

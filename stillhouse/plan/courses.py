"""The whole training of a student: its teacher first if need be, all seeds, with or without the teacher's cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..data import Data
from ..taps import Tapped
from ..training.cache.store import CacheStore, CacheUnavailable, share_computed
from ..training.classroom import cache_obstacle, cache_readers
from ..training.student import StudentTrainer
from .pace import Pace


@dataclass(frozen=True)
class Cache:
    """A teacher's cache and the outputs that it saves.

    Args:
        views: Different views of each image; 0 if there can be no cache.
        obstacle: Why there can be none, or why it does not pay; None if it is used.
    """

    views: int = 0
    obstacle: str | None = None

    def computed(self, epochs: int) -> float:
        """Return the share of outputs that are computed in so many epochs if the cache is empty before them."""
        if self.obstacle is not None or not self.views:
            return 1.0
        return self.views / epochs * (1 - (1 - 1 / self.views) ** epochs)


@dataclass(frozen=True)
class Course:
    """The training of the students of one network.

    Args:
        name: The student network.
        pace: Of its students beside each other.
        warmups: Epochs before distillation itself, by the label of each student.
        teacher: Of the teacher, if it has no weights and is trained first.
        examined: Seconds to measure the teacher once.
        cache: Of the teacher's outputs.
        seeds: Number of seeds, which are trained one after another.
        teacher_epochs: Epochs of the teacher; None: as many as the students'.
    """

    name: str
    pace: Pace
    warmups: Mapping[str, int]
    teacher: Pace | None = None
    examined: float = 0.0
    cache: Cache = field(default_factory=Cache)
    seeds: int = 1
    teacher_epochs: int | None = None

    @property
    def labels(self) -> list[str]:
        return [*self.warmups]

    def teacher_seconds(self, epochs: int) -> float:
        """Return the seconds in which the teacher is trained first, if students are trained for so many epochs."""
        own = epochs if self.teacher_epochs is None else self.teacher_epochs
        return 0.0 if self.teacher is None else self.teacher.seconds(dict.fromkeys(self.teacher.students, own))

    def taught(self, epochs: int, cached: bool = True) -> float:
        """Return the share of the teacher's outputs that are computed."""
        return self.cache.computed(epochs) if cached else 1.0

    def seconds(self, epochs: int, cached: bool = True) -> float:
        """Return the seconds of everything: the teacher if it is trained first, its measurement, and all students."""
        own = {label: epochs + more for label, more in self.warmups.items()}
        students = self.pace.seconds(own, self.taught(epochs, cached))
        return self.teacher_seconds(epochs) + self.seeds * (self.examined + students)


def cache_of(
    teacher: Tapped, trainers: Sequence[StudentTrainer], data: Data, store: CacheStore | None, epochs: int
) -> Cache:
    """Return what a cache of the teacher's outputs would save these students.

    Args:
        teacher: On its device, in eval mode.
        store: Where it would be; None if none is wanted.
    """
    learners = [trainer.distillation for trainer in trainers if trainer.distillation.has_teacher]
    if store is None:
        return Cache(obstacle="--teacher_cache is off")
    if not learners:
        return Cache(obstacle="no student has a teacher")
    if obstacle := cache_obstacle(learners):
        return Cache(obstacle=obstacle)
    try:
        share_computed(store, teacher, cache_readers(learners), data, epochs)
    except CacheUnavailable as why:
        return Cache(data.train.num_views or 0, str(why))
    return Cache(data.train.num_views or 0)

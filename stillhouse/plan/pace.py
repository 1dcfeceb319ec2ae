"""The time of the parts of a training, and the one estimate of how long it takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

FORWARD = 0.35  # of a step's time, for evaluation, which has no backward pass, where nothing was measured


@dataclass(frozen=True)
class Pace:
    """Seconds of the parts of a training.

    Args:
        teacher: Of the teacher's forward pass in a step, once for all students.
        students: Of each student's own part of a step, by its label.
        steps: Steps of an epoch.
        reading: To read and augment a batch.
        evaluations: To measure each student after an epoch.
        begin: To begin an epoch: processes that read images start.
        overlaps: Batches are read while the device computes.
        timed: Steps that were timed of each student.
        images: Images of a step that was timed; fewer than a batch of slow networks, whose times are multiplied.
        memory: Peak of this process's memory in training in bytes (GPU memory on a GPU); what grows with the images is
            multiplied in the same way; 0 if it cannot be measured.
        drift: How much longer steps took in the slowest quarter of the time than in the fastest, as a share of it; 0 if
            there were too few to tell.
    """

    teacher: float
    students: Mapping[str, float] = field(default_factory=dict)
    steps: int = 1
    reading: float = 0.0
    evaluations: Mapping[str, float] = field(default_factory=dict)
    begin: float = 0.0
    overlaps: bool = False
    timed: int = 0
    images: int = 0
    memory: int = 0
    drift: float = 0.0

    def step(self, labels: Collection[str], taught: float = 1.0) -> float:
        """Return the seconds of a step of students beside each other.

        Args:
            taught: Share of the teacher's outputs that are computed; the others are read from a cache.
        """
        computing = taught * self.teacher + sum(self._of(self.students, label) for label in labels)
        return max(computing, self.reading) if self.overlaps else computing + self.reading

    def epoch(self, labels: Collection[str], taught: float = 1.0) -> float:
        """Return the seconds of an epoch of students beside each other; `taught` as for `step`."""
        measuring = sum(self._of(self.evaluations, label) for label in labels)
        return self.begin + self.steps * self.step(labels, taught) + measuring

    def seconds(self, epochs: Mapping[str, int], taught: float = 1.0) -> float:
        """Return the seconds of these numbers of epochs of students beside each other; `taught` as for `step`."""
        total, done = 0.0, 0
        for until in sorted(set(epochs.values())):
            total += (until - done) * self.epoch([label for label, own in epochs.items() if own >= until], taught)
            done = until
        return total

    def of_an_epoch(self) -> Pace:
        """Return the same with an epoch as its only step: students with their evaluations, the teacher with reading."""
        shared = self.begin + self.steps * (self.teacher + (0.0 if self.overlaps else self.reading))
        students = {name: self.steps * own + self.evaluations.get(name, 0.0) for name, own in self.students.items()}
        return Pace(shared, students)

    def scaled(self, factor: float) -> Pace:
        """Return the pace of a training in which everything takes so many times as long."""
        students, evaluations = (
            {label: factor * value for label, value in known.items()} for known in (self.students, self.evaluations)
        )
        parts = {name: factor * getattr(self, name) for name in ("teacher", "reading", "begin")}
        return replace(self, students=students, evaluations=evaluations, **parts)

    def _of(self, known: Mapping[str, float], label: str) -> float:
        """Return the seconds of a student; the mean of all for one that was not measured."""
        return known.get(label, sum(known.values()) / max(len(known), 1))

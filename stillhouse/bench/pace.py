"""An estimate of the duration of a bench, from trial steps before the first real one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from ..data import Data
from ..rng import preserved
from ..taps import Tapped
from ..training.classroom import Classroom
from ..training.memory import made_up_batch
from ..training.student import StudentTrainer

_TRIALS = 2  # steps; the first includes one-time setup
FORWARD = 0.35  # of a step's time, for evaluation, which has no backward pass


@dataclass(frozen=True)
class Pace:
    """Seconds of a training step, or of so many.

    Args:
        teacher: Seconds of the teacher, once for all students.
        students: Seconds of each student by its label, including its evaluation.
    """

    teacher: float
    students: Mapping[str, float] = field(default_factory=dict)

    def of(self, steps: int) -> Pace:
        """Return the seconds of so many steps."""
        return Pace(steps * self.teacher, {label: steps * seconds for label, seconds in self.students.items()})

    def seconds(self, epochs: Mapping[str, int]) -> float:
        """Return the seconds that students with these numbers of epochs take, with so many steps in each epoch."""
        usual = sum(self.students.values()) / max(len(self.students), 1)
        alone = sum(count * self.students.get(label, usual) for label, count in epochs.items())
        return alone + self.teacher * max(epochs.values(), default=0)


def measured(teacher: Tapped | None, trainers: Mapping[StudentTrainer, str], data: Data, device: torch.device) -> Pace:
    """Measure the teacher and each student in a few steps, which are undone."""
    classroom = Classroom(teacher, list(trainers))
    classroom.on_failure = lambda trainer, error: None  # reported when it is trained
    classroom.to(device)
    batch, students = made_up_batch(data.info, device), dict[str, float]()
    evaluation = 1 + FORWARD * len(data.validation or data.test) / max(len(data.train), 1)
    with preserved():
        look = 0.0 if teacher is None else _fastest(lambda: classroom.teacher_outputs(batch, "eval"), device)

        def measure(trainer: StudentTrainer) -> None:
            both = _fastest(lambda: classroom.trial_step(batch, trainer), device)
            own = both - look if trainer.distillation.has_teacher else both
            students[trainers[trainer]] = max(own, 0.0) * evaluation
            trainer.free_step_memory()

        classroom.for_each(measure)
    return Pace(look, students)


def _fastest(act: Callable[[], object], device: torch.device) -> float:
    times = []
    for _ in range(_TRIALS):
        began = time.perf_counter()
        act()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - began)
    return min(times)

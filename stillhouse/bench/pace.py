"""The seconds that a bench will take, by trial steps before the first real one."""

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

_TRIALS = 2  # steps; the first one pays for what is set up once
_FORWARD = 0.35  # of a step's time, for evaluation: there is no backward pass


@dataclass(frozen=True)
class Pace:
    """Seconds a training step.

    Args:
        teacher: Of the teacher, once for all students.
        students: By the label of each student, its evaluation included.
    """

    teacher: float
    students: Mapping[str, float] = field(default_factory=dict)

    def seconds(self, epochs: Mapping[str, int]) -> float:
        """Return the seconds of one step of every epoch, for students that train so many epochs each."""
        usual = sum(self.students.values()) / max(len(self.students), 1)
        alone = sum(count * self.students.get(label, usual) for label, count in epochs.items())
        return alone + self.teacher * max(epochs.values(), default=0)


def measured(teacher: Tapped | None, trainers: Mapping[StudentTrainer, str], data: Data, device: torch.device) -> Pace:
    """Let the teacher and each student take a few steps that are undone, and return their times."""
    classroom = Classroom(teacher, list(trainers))
    classroom.on_failure = lambda trainer, error: None  # it is told when it is trained
    classroom.to(device)
    batch, students = made_up_batch(data.info, device), dict[str, float]()
    evaluation = 1 + _FORWARD * len(data.validation or data.test) / max(len(data.train), 1)
    with preserved():
        look = 0.0 if teacher is None else _fastest(lambda: classroom.teacher_outputs(batch, "eval"), device)

        def measure(trainer: StudentTrainer) -> None:
            both = _fastest(lambda: classroom.trial_step(batch, trainer), device)
            own = both - look if trainer.distillation.has_teacher else both
            students[trainers[trainer]] = max(own, 0.0) * evaluation

        classroom.for_each(measure)
    for trainer in trainers:
        trainer.free_step_memory()
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

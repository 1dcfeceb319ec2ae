"""Before the first step: what will be trained, and how long all of it takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...data import Data
from ...plan.timing import measured
from ...spelling import counted
from ...taps import Tapped
from ...training.progress import duration
from ...training.student import StudentTrainer


def seconds_to_go(
    teacher: Tapped | None,
    trainers: Sequence[StudentTrainer],
    data: Data,
    device: torch.device,
    budget: float | None = None,
) -> float:
    """Estimate from a few steps, which are undone, how long students take that are trained beside each other.

    Args:
        teacher: Their teacher; None for networks that learn by themselves.
        trainers: The students, before they are resumed.
        budget: Memory in GB that this process may use.
    """
    labels = {trainer: str(number) for number, trainer in enumerate(trainers)}
    pace = measured(teacher, labels, data, device, budget=budget)
    left = {label: max(trainer.epochs - len(trainer.run.rows()), 0) for trainer, label in labels.items()}
    return pace.seconds(left)


def larger(student: StudentTrainer, teacher: Tapped, name: str = "the student") -> str | None:
    """Return a note if a student has more parameters than its teacher; None if it has not."""
    networks = student.distillation.student.model, teacher.model
    own, theirs = (sum(one.numel() for one in network.parameters()) for network in networks)
    if own <= theirs:
        return None
    return (
        f"{name} has {own:,} parameters and its teacher {theirs:,}; if the larger one is to teach, swap --teacher "
        f"and --student"
    )


def plan(teacher: StudentTrainer | None, students: Sequence[StudentTrainer], seconds: float) -> str:
    """Return in words what will be trained, and how long all of it takes.

    Args:
        teacher: The teacher, if it is trained first.
        seconds: Estimated duration of all of it.
    """
    length = max(trainer.epochs for trainer in students)
    beside = " beside each other" if len(students) > 1 else ""
    parts = [f"the teacher {_epochs(teacher)}"] if teacher else []
    parts += [f"{' and '.join(trainer.name for trainer in students)}{beside} ({counted(length, 'epoch')})"]
    return f"plan: {', then '.join(parts)}; about {duration(seconds)} in all"


def _epochs(trainer: StudentTrainer) -> str:
    return f"{trainer.name.removesuffix(' by itself')} ({counted(trainer.epochs, 'epoch')})"

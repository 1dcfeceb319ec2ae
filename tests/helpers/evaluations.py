"""Networks that were measured, with made-up outputs."""

import torch

from stillhouse.evaluation.measured import Measured
from stillhouse.training.evaluation import Scores
from stillhouse.training.teachers.teacher import Teacher
from tests.helpers.training import teacher_net

LABELS = torch.arange(60) % 3
NAMES = ("ant", "bee", "2")


def made(role: str, wrong: int, name: str = "net") -> Measured:
    """Return a network that takes the first `wrong` images for the next class, less sure of each later one."""
    guesses = LABELS.clone()
    guesses[:wrong] = (guesses[:wrong] + 1) % 3
    logits = torch.zeros(60, 3)
    logits[torch.arange(60), guesses] = torch.linspace(4.0, 1.0, 60)
    return Measured(role, Teacher(teacher_net(), name), Scores(logits, LABELS))

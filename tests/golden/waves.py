"""The logits of the recorded logit losses: six samples of ten classes, as sines and cosines."""

from collections.abc import Callable

import torch
from torch import Tensor

LABELS = torch.tensor([0, 3, 5, 2, 9, 7])


def student_waves() -> Tensor:
    """Gradients are recorded for these."""
    return _grid(lambda b, c: 3 * torch.sin(0.7 * b + 1.3 * c + 0.1)).requires_grad_()


def teacher_waves() -> Tensor:
    return _grid(lambda b, c: 4 * torch.cos(0.9 * b * c + 0.4 * c + 0.2 * b))


def strong_student_waves() -> Tensor:
    """Of the second view."""
    return _grid(lambda b, c: 2.5 * torch.sin(0.6 * b + 1.1 * c + 0.4))


def strong_teacher_waves() -> Tensor:
    return _grid(lambda b, c: 3.5 * torch.cos(0.8 * b * c + 0.5 * c + 0.1 * b))


def _grid(wave: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    return wave(torch.arange(6.0, dtype=torch.float64)[:, None], torch.arange(10.0, dtype=torch.float64))

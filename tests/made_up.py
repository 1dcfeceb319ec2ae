"""Outputs and batches without networks and images, and what must hold for every loss that compares samples."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.batch import Batch, DataInfo
from stillhouse.taps import Outputs, Tapped

DATA = DataInfo(num_classes=10, image_size=32, labels=torch.arange(10))

_NET = Tapped(nn.Identity(), Anatomy())


def outputs(**tapped: Tensor) -> Outputs:
    """As if a network with these places had said it."""
    first = next(iter(tapped.values()))
    return Outputs(first.new_zeros(len(first), 10), tapped, _NET)


def empty_batch(size: int = 8, epoch: float = 0.0) -> Batch:
    rows = torch.arange(size)
    return Batch(torch.zeros(size, 3, 32, 32), rows, rows, epoch=epoch)


def check_rows(loss: Callable[[Tensor, Tensor, Tensor | None], Tensor], student: Tensor, teacher: Tensor) -> None:
    """Asserts that samples which are off might as well not be there, in value and gradient."""
    size = len(student)
    for keep in ([0, 2, 3], [1, 4], [size - 1], []):
        on = torch.zeros(size)
        on[keep] = 1
        s = student.clone().requires_grad_()
        value = loss(s, teacher, on)
        (gradient,) = torch.autograd.grad(value, s)
        assert gradient[on == 0].eq(0).all()
        if keep:
            subset = student[keep].requires_grad_()
            expected = loss(subset, teacher[keep], None)
            torch.testing.assert_close(value, expected)
            torch.testing.assert_close(gradient[keep], torch.autograd.grad(expected, subset)[0])
        else:
            assert value.item() == 0
    everyone = loss(student, teacher, torch.ones(size))
    torch.testing.assert_close(everyone, loss(student, teacher, None))

"""Batches and network outputs without a data set, and the law of masked samples for losses that compare samples."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.batch import Batch, DataInfo
from stillhouse.taps import Outputs, Tapped

TINY_DATA = DataInfo(num_classes=5, image_size=16, labels=torch.arange(30) % 5, batch_size=6)
DATA = DataInfo(num_classes=10, image_size=32, labels=torch.arange(10))

_NET = Tapped(nn.Identity(), Anatomy())


def outputs(**tapped: Tensor) -> Outputs:
    """Return the outputs of a network that computed these values at these places."""
    first = next(iter(tapped.values()))
    return Outputs(first.new_zeros(len(first), 10), tapped, _NET)


def empty_batch(size: int = 8, epoch: float = 0.0) -> Batch:
    rows = torch.arange(size)
    return Batch(torch.zeros(size, 3, 32, 32), rows, rows, epoch=epoch)


def assert_mask_works(
    loss: Callable[[Tensor, Tensor, Tensor | None], Tensor], student: Tensor, teacher: Tensor
) -> None:
    """Assert that masked samples change neither the loss nor its gradient."""
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


def tiny_batch(size: int = 6, classes: int = 5, step: int = 0) -> Batch:
    images = torch.randn(size, 3, 16, 16, generator=torch.Generator().manual_seed(step))
    return Batch(images, torch.arange(size) % classes, torch.arange(size), step=step)

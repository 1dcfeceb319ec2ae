from math import sqrt

import pytest
import torch
from torch import Tensor

from stillhouse.methods import NST
from tests.golden.closed_form import u
from tests.golden.features import gradient_norm, student_maps, teacher_maps
from tests.helpers.contract import TRANSFORMERS

REFUSES = TRANSFORMERS

FEW_CHANNELS, MANY_CHANNELS = (3, 2, 4, 4), (3, 9, 2, 2)  # products of channels, products of positions


def _units(features: Tensor) -> list[list[float]]:
    """(C, H, W) -> C lists of H * W numbers"""
    channels = [channel.flatten().tolist() for channel in features]
    return [[x / sqrt(sum(y**2 for y in channel)) for x in channel] for channel in channels]


def _kernel(one: list[list[float]], other: list[list[float]]) -> float:
    products = [sum(a * b for a, b in zip(x, y, strict=True)) ** 2 for x in one for y in other]
    return sum(products) / len(products)


@pytest.mark.parametrize("shape", [FEW_CHANNELS, MANY_CHANNELS])
def test_each_sample_is_charged_for_its_discrepancy(shape: tuple[int, ...]) -> None:
    samples, _, *size = shape
    student, teacher = u(shape, 1), u((samples, 5, *size), 2)
    losses = NST().loss(student, teacher)
    for n in range(samples):
        s, t = _units(student[n]), _units(teacher[n])
        assert losses[n].item() == pytest.approx(_kernel(s, s) + _kernel(t, t) - 2 * _kernel(s, t), rel=1e-12)


@pytest.mark.parametrize("shape", [FEW_CHANNELS, MANY_CHANNELS])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_gradient_is_that_of_the_textbook(shape: tuple[int, ...], dtype: torch.dtype, tolerance: float) -> None:
    def textbook(s: Tensor, t: Tensor) -> Tensor:
        s, t = (f.flatten(2) / torch.linalg.vector_norm(f.flatten(2), dim=2, keepdim=True) for f in (s, t))
        kernels = [(x[:, :, None] * y[:, None]).sum(3).square().mean((1, 2)) for x, y in ((t, t), (s, s), (s, t))]
        return kernels[0] + kernels[1] - 2 * kernels[2]

    samples, _, *size = shape
    student, teacher = u(shape, 1).to(dtype).requires_grad_(), u((samples, 5, *size), 2).to(dtype)
    gradients = [torch.autograd.grad(f(student, teacher).sum(), student)[0] for f in (NST().loss, textbook)]
    assert (gradients[0] - gradients[1]).norm() <= tolerance * gradients[1].norm()


@pytest.mark.recorded
def test_recorded_value_and_gradient() -> None:
    student, teacher = student_maps(), teacher_maps()
    loss = torch.stack([NST().loss(s, t).mean() for s, t in zip(student[1:], teacher[1:], strict=True)]).sum()
    assert loss.item() == pytest.approx(0.8942392214096945, rel=1e-8)
    assert gradient_norm(loss, student) == pytest.approx(0.7640880747723755, rel=1e-8)


def test_the_larger_map_is_averaged_down() -> None:
    large, small = u((2, 3, 4, 4), 1), u((2, 5, 2, 2), 2)
    halved = large.reshape(2, 3, 2, 2, 2, 2).mean((3, 5))
    torch.testing.assert_close(NST().loss(large, small), NST().loss(halved, small))
    torch.testing.assert_close(NST().loss(small, large), NST().loss(small, halved))


@pytest.mark.parametrize("shape", [FEW_CHANNELS, MANY_CHANNELS])
def test_scale_order_and_layout_of_channels_do_not_matter(shape: tuple[int, ...]) -> None:
    student, teacher = u(shape, 1), u(shape, 2)
    expected = NST().loss(student, teacher)
    torch.testing.assert_close(NST().loss(3 * student.flip(1), teacher), expected)
    channels_last = [f.contiguous(memory_format=torch.channels_last) for f in (student, teacher)]
    torch.testing.assert_close(NST().loss(*channels_last), expected)
    assert NST().loss(teacher, teacher).abs().max() < 1e-15


def test_dead_channels_give_no_nan() -> None:
    dead = torch.zeros(2, 3, 4, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(NST().loss(dead, u((2, 5, 4, 4), 2).float()).sum(), dead)
    assert gradient.isfinite().all()


def test_tokens_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"NST compares maps \(N, C, H, W\), but the teacher's features are \(2, 16, 8\)"
    ):
        NST().connector(torch.zeros(2, 5, 4, 4), torch.zeros(2, 16, 8))

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.linalg import vector_norm

from stillhouse.batch import Batch
from stillhouse.distillation import Distillation
from stillhouse.method import LogitMethod, Spot
from stillhouse.methods import CE, DIST
from stillhouse.taps import Outputs, Tapped
from tests.golden.closed_form import u
from tests.golden.softmax import softmax
from tests.helpers.batches import TINY_DATA, tiny_batch
from tests.helpers.networks import tiny

LOGITS = Spot("logits", "logits")


def _pearson(one: list[float], other: list[float]) -> float:
    one, other = ([x - sum(xs) / len(xs) for x in xs] for xs in (one, other))
    squares = sum(x * x for x in one) * sum(x * x for x in other)
    return float(sum(a * b for a, b in zip(one, other, strict=True)) / squares**0.5)


def _loss(method: DIST, student: Tensor, teacher: Tensor, active: Tensor | None = None) -> Tensor:
    net = Tapped(tiny())
    batch = replace(tiny_batch(len(student)), active=active)
    return method.loss_at(LOGITS, Outputs(student, {}, net), Outputs(teacher, {}, net), batch)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_correlations_within_samples_and_within_classes(temperature: float) -> None:
    student, teacher = 3 * u((6, 4), 1), 3 * u((6, 4), 2)
    s, t = ([softmax(row, temperature) for row in logits.tolist()] for logits in (student, teacher))
    inter = sum(1 - _pearson(s[n], t[n]) for n in range(6)) / 6
    intra = sum(1 - _pearson([row[c] for row in s], [row[c] for row in t]) for c in range(4)) / 4
    loss = _loss(DIST(beta=2, gamma=0.5, temperature=temperature), student, teacher)
    assert loss.item() == pytest.approx(temperature**2 * (2 * inter + 0.5 * intra), rel=1e-7)  # torch adds 1e-8


def _published(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """The loss of the authors' code: epsilon is added to the product of the lengths."""

    def correlation(one: Tensor, other: Tensor) -> Tensor:
        one, other = (x - x.mean(1, keepdim=True) for x in (one, other))
        correlations: Tensor = (one * other).sum(1) / (vector_norm(one, dim=1) * vector_norm(other, dim=1) + 1e-8)
        return correlations

    s, t = (logits.div(temperature).softmax(1) for logits in (student, teacher))
    return temperature**2 * ((1 - correlation(s, t).mean()) + (1 - correlation(s.T, t.T).mean()))


@pytest.mark.parametrize(("temperature", "images"), [(1.0, 3), (1.0, 16), (4.0, 16)])
def test_small_probabilities_are_compared_as_in_the_published_code(temperature: float, images: int) -> None:
    torch.manual_seed(0)
    student, teacher = (3 * torch.randn(images, 200, dtype=torch.float64) for _ in range(2))
    student.requires_grad_()
    ours, theirs = _loss(DIST(temperature=temperature), student, teacher), _published(student, teacher, temperature)
    torch.testing.assert_close(ours, theirs, rtol=1e-15, atol=0)
    gradients = [torch.autograd.grad(loss, student)[0] for loss in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-17)
    if images == 3:
        assert ours.item() == pytest.approx(1.99558, abs=5e-6)


def test_only_samples_that_are_on_are_compared() -> None:
    student, teacher = 3 * u((6, 4), 1), 3 * u((6, 4), 2)
    active = torch.tensor([1.0, 0, 1, 1, 0, 1], dtype=torch.float64)
    expected = _loss(DIST(), student[active > 0], teacher[active > 0])
    torch.testing.assert_close(_loss(DIST(), student, teacher, active), expected)


def test_the_same_network_is_free() -> None:
    logits = 3 * u((6, 4), 1)
    assert _loss(DIST(), logits, logits).item() == pytest.approx(0, abs=1e-5)  # of 1e-8 beside small probabilities


def test_two_classes_can_only_agree_or_disagree_within_a_sample() -> None:
    student, teacher = torch.tensor([[1.0, 0.0], [0.1, 0.0]]), torch.tensor([[5.0, 0.0], [0.0, 2.0]])
    assert _loss(DIST(gamma=0, temperature=1), student, teacher).item() == pytest.approx((0 + 2) / 2, abs=1e-5)


def test_a_mask_without_active_samples_gives_no_gradient_and_no_nan() -> None:
    student = (3 * u((4, 5), 1)).requires_grad_()
    (gradient,) = torch.autograd.grad(_loss(DIST(), student, 3 * u((4, 5), 2), torch.zeros(4).double()), student)
    assert gradient.abs().max() == 0


def test_it_joins_other_terms_but_is_not_for_wrappers_of_single_samples() -> None:
    teacher = Tapped(tiny(width=6, seed=1)).eval()
    distillation = Distillation(tiny(), teacher, [CE(), DIST()], TINY_DATA)
    batch: Batch = tiny_batch()
    terms = distillation(batch, teacher(batch.images))
    assert terms["DIST"].shape == ()
    assert not issubclass(DIST, LogitMethod)

from math import exp, log

import pytest
import torch

from stillhouse.methods import KD
from tests.golden import waves
from tests.golden.closed_form import u
from tests.golden.features import LABELS, gradient_norm, student_logits, teacher_logits


def _softened(logits: list[float], temperature: float) -> list[float]:
    odds = [exp(logit / temperature) for logit in logits]
    return [o / sum(odds) for o in odds]


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_each_sample_is_charged_its_divergence(temperature: float) -> None:
    student, teacher = 3 * u((5, 4), 1), 3 * u((5, 4), 2)
    losses = KD(temperature=temperature).loss(student, teacher, LABELS[:5])
    for n in range(5):
        p = _softened(teacher[n].tolist(), temperature)
        q = _softened(student[n].tolist(), temperature)
        divergence = sum(p[c] * log(p[c] / q[c]) for c in range(4))
        assert losses[n].item() == pytest.approx(temperature**2 * divergence, rel=1e-10)


def test_cross_entropy_adds_the_teachers_entropy() -> None:
    student, teacher = 3 * u((5, 4), 1), 3 * u((5, 4), 2)
    losses = KD(cross_entropy=True).loss(student, teacher, LABELS[:5])
    for n in range(5):
        p, q = _softened(teacher[n].tolist(), 4.0), _softened(student[n].tolist(), 4.0)
        assert losses[n].item() == pytest.approx(-16 * sum(p[c] * log(q[c]) for c in range(4)), rel=1e-10)


@pytest.mark.recorded
def test_recorded_value_and_gradient() -> None:
    logits = student_logits()
    loss = KD().loss(logits, teacher_logits(), LABELS).mean()
    assert loss.item() == pytest.approx(2.8958260572527266, rel=1e-8)
    assert gradient_norm(loss, [logits]) == pytest.approx(0.2703658141173068, rel=1e-8)


def test_only_differences_between_classes_count() -> None:
    losses = [KD().loss(student_logits() + shift, teacher_logits() - shift, LABELS) for shift in (0, 50)]
    torch.testing.assert_close(*losses)
    assert KD().loss(teacher_logits() + 7, teacher_logits(), LABELS).abs().max() < 1e-12


def test_hot_limit_is_the_squared_difference_of_logits() -> None:
    """Section 2.1 of the paper: at a high temperature distillation matches zero-meaned logits."""
    student, teacher = (logits - logits.mean(1, keepdim=True) for logits in (student_logits(), teacher_logits()))
    expected = (student - teacher).square().mean(1) / 2
    torch.testing.assert_close(KD(temperature=1e4).loss(student, teacher, LABELS), expected, rtol=1e-3, atol=0)


def test_a_confident_teacher_costs_no_precision() -> None:
    confident = torch.tensor([[400.0, 0.0, -400.0]], dtype=torch.float64)
    unsure = torch.zeros(1, 3, dtype=torch.float64)
    loss = KD(temperature=1.0).loss(unsure, confident, LABELS[:1])
    assert loss.item() == pytest.approx(log(3), rel=1e-12)


def test_cross_entropy_adds_the_teachers_entropy_and_no_gradient() -> None:
    student, teacher = student_logits(), teacher_logits()
    divergence = KD().loss(student, teacher, LABELS)
    cross_entropy = KD(cross_entropy=True).loss(student, teacher, LABELS)
    for n in range(len(LABELS)):
        p = _softened(teacher[n].tolist(), 4.0)
        assert (cross_entropy - divergence)[n].item() == pytest.approx(-16 * sum(q * log(q) for q in p), rel=1e-10)
    gradients = (torch.autograd.grad(loss.sum(), student, retain_graph=True)[0] for loss in (divergence, cross_entropy))
    torch.testing.assert_close(*gradients)


@pytest.mark.recorded
@pytest.mark.parametrize(("temperature", "expected"), [(1.0, 2.2914910294), (2.0, 3.8533935946), (4.0, 5.2624994988)])
def test_recorded_values_of_waves(temperature: float, expected: float) -> None:
    losses = KD(temperature=temperature).loss(waves.student_waves(), waves.teacher_waves(), waves.LABELS)
    assert losses.mean().item() == pytest.approx(expected, abs=1e-8)

from math import exp, log

import pytest
import torch

from stillhouse.methods import KD
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

from math import exp, log

import pytest
import torch

from stillhouse.methods import CE
from tests.golden.closed_form import u
from tests.golden.features import LABELS, gradient_norm, student_logits, teacher_logits
from tests.helpers.contract import CITATION

NOTES = {CITATION}


def test_each_sample_is_charged_its_surprise() -> None:
    logits, labels = u((5, 4), 1), [3, 0, 0, 2, 1]
    losses = CE().loss(logits, u((5, 4), 2), torch.tensor(labels))
    for n, label in enumerate(labels):
        odds = [exp(logit) for logit in logits[n].tolist()]
        assert losses[n].item() == pytest.approx(-log(odds[label] / sum(odds)), rel=1e-12)


@pytest.mark.recorded
def test_recorded_value() -> None:
    loss = CE().loss(student_logits(), teacher_logits(), LABELS).mean()
    assert loss.item() == pytest.approx(2.9004457531617858, rel=1e-12)


def test_gradient_is_probability_minus_truth() -> None:
    logits = student_logits()
    loss = CE().loss(logits, teacher_logits(), LABELS).sum()
    truth = torch.nn.functional.one_hot(LABELS, 10)
    expected = (logits.softmax(1) - truth).square().sum().sqrt().item()
    assert gradient_norm(loss, [logits]) == pytest.approx(expected, rel=1e-12)


def test_the_teacher_is_ignored() -> None:
    losses = [CE().loss(student_logits(), teacher, LABELS) for teacher in (teacher_logits(), 0 * teacher_logits())]
    assert torch.equal(*losses)

import pytest
import torch

from stillhouse.methods import DKD, RLD
from tests.golden.closed_form import u
from tests.golden.softmax import kl, softmax
from tests.golden.waves import LABELS, student_waves, teacher_waves
from tests.helpers.contract import ZERO_LOSS

NOTES = {ZERO_LOSS}


def test_confidence_and_correlation() -> None:
    student, teacher, labels = 3 * u((6, 5), 1), 3 * u((6, 5), 2), [3, 0, 4, 4, 1, 2]
    losses = RLD(alpha=0.7, beta=3, temperature=2, confidence_temperature=1.5).loss(
        student, teacher, torch.tensor(labels)
    )
    for n, label in enumerate(labels):
        s, t = softmax(student[n].tolist(), 1.5)[label], max(softmax(teacher[n].tolist(), 1.5))
        confidence = 1.5**2 * kl([t, 1 - t], [s, 1 - s])
        below = [c for c in range(5) if teacher[n, c] < teacher[n, label]]
        rest = [softmax([logits[n, c].item() for c in below], 2) for logits in (teacher, student)]
        assert losses[n].item() == pytest.approx(0.7 * confidence + 3 * 2**2 * kl(*rest), rel=1e-9)


def test_it_is_dkd_where_the_teacher_is_right() -> None:
    student, teacher = student_waves(), teacher_waves()
    labels = teacher.argmax(1)
    torch.testing.assert_close(
        RLD(confidence_temperature=4).loss(student, teacher, labels), DKD().loss(student, teacher, labels)
    )


def test_a_teacher_that_puts_the_label_last_teaches_confidence_only() -> None:
    student, labels = student_waves(), teacher_waves().argmin(1)
    losses = RLD(alpha=0).loss(student, teacher_waves(), labels)
    assert losses.abs().max() == 0
    (gradient,) = torch.autograd.grad(losses.sum(), student)
    assert gradient.abs().max() == 0


def test_a_wrong_teacher_does_not_push_the_label_down() -> None:
    student = student_waves()
    wrong = teacher_waves().argmax(1) != LABELS
    losses = RLD(alpha=0).loss(student, teacher_waves(), LABELS)
    (gradient,) = torch.autograd.grad(losses.sum(), student)
    assert wrong.sum() == 5
    assert gradient.gather(1, LABELS[:, None]).abs().max() == 0
    seen_first = gradient.gather(1, teacher_waves().argmax(1, keepdim=True)).squeeze(1)
    assert seen_first[wrong].abs().max() == 0  # nor what it mistakes for it up

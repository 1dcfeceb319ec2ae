from math import log

import pytest
import torch

from stillhouse.methods import NKD
from tests.golden.closed_form import u
from tests.golden.features import gradient_norm
from tests.golden.softmax import but, softmax
from tests.golden.waves import LABELS, student_waves, teacher_waves
from tests.helpers.contract import ZERO_LOSS

NOTES = {ZERO_LOSS}


@pytest.mark.parametrize("temperature", [1.0, 2.0])
@pytest.mark.parametrize("all_classes", [False, True])
def test_cross_entropy_of_the_target_and_of_the_others(temperature: float, all_classes: bool) -> None:
    student, teacher, labels = 3 * u((4, 5), 1), 3 * u((4, 5), 2), [3, 0, 4, 4]
    method = NKD(gamma=1.3, temperature=temperature, all_classes=all_classes)
    losses = method.loss(student, teacher, torch.tensor(labels))
    for n, label in enumerate(labels):
        s, t = student[n].tolist(), teacher[n].tolist()
        target = -softmax(t)[label] * log(softmax(s)[label])
        s, t = (softmax(row if all_classes else but(row, label), temperature) for row in (s, t))
        others = -sum(b * log(a) for a, b in zip(s, t, strict=True))
        assert losses[n].item() == pytest.approx(target + 1.3 * temperature**2 * others, rel=1e-10)


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (NKD(), 5.5624360279),
        (NKD(all_classes=True), 6.0416789551),
        (NKD(gamma=8, temperature=4, all_classes=True), 309.7227430318),
        (NKD(gamma=0.5, all_classes=True), 2.3551666967),
        (NKD(gamma=0), 0.5119105674),
    ],
)
def test_recorded_values(method: NKD, expected: float) -> None:
    assert method.loss(student_waves(), teacher_waves(), LABELS).mean().item() == pytest.approx(expected, abs=1e-8)


@pytest.mark.recorded
def test_recorded_gradient() -> None:
    student = student_waves()
    loss = NKD(all_classes=True).loss(student, teacher_waves(), LABELS).mean()
    (gradient,) = torch.autograd.grad(loss, student, retain_graph=True)
    assert gradient[0, 0].item() == pytest.approx(-0.1869122166, abs=1e-8)
    assert gradient_norm(loss, [student]) == pytest.approx(0.4080522365, abs=1e-8)


def test_the_label_does_not_matter_to_the_others() -> None:
    student, teacher = student_waves().detach(), teacher_waves()
    raised = student.scatter_add(1, LABELS[:, None], torch.full_like(student[:, :1], 2.0))
    first, second = (NKD().loss(s, teacher, LABELS) - NKD(gamma=0).loss(s, teacher, LABELS) for s in (student, raised))
    torch.testing.assert_close(first, second)

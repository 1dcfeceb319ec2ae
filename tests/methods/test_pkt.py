from math import log, sqrt

import pytest
import torch
from torch import Tensor

from stillhouse.methods import PKT
from tests.golden.closed_form import u
from tests.golden.features import gradient_norm, student_vector, teacher_vector
from tests.helpers.batches import assert_mask_works


def _neighbours(features: Tensor) -> list[list[float]]:
    samples = [sample.flatten().tolist() for sample in features]
    samples = [[x / (sqrt(sum(y**2 for y in sample)) + 1e-7) for x in sample] for sample in samples]
    cosines = [[sum(a * b for a, b in zip(one, other, strict=True)) for other in samples] for one in samples]
    return [[(c + 1) / 2 / sum((d + 1) / 2 for d in row) for c in row] for row in cosines]


@pytest.mark.parametrize("shape", [(5, 7), (5, 3, 4), (5, 2, 3, 3)], ids=["vectors", "tokens", "maps"])
def test_a_batch_is_charged_for_its_neighbours(shape: tuple[int, ...]) -> None:
    student, teacher = u(shape, 1), u((5, 6), 2)
    s, t = _neighbours(student), _neighbours(teacher)
    expected = sum(t[i][j] * log((t[i][j] + 1e-7) / (s[i][j] + 1e-7)) for i in range(5) for j in range(5)) / 25
    assert PKT().loss(student, teacher).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.recorded
def test_recorded_value_and_gradient() -> None:
    student = student_vector()
    loss = PKT().loss(student, teacher_vector())
    assert loss.item() == pytest.approx(0.007954121202332009, rel=1e-8)
    assert gradient_norm(loss, [student]) == pytest.approx(0.007829990961566722, rel=1e-8)


def test_only_directions_count() -> None:
    student, teacher = u((6, 8), 1), u((6, 5), 2)
    torch.testing.assert_close(PKT().loss(100 * student, teacher), PKT().loss(student, teacher), rtol=1e-5, atol=0)
    assert abs(PKT().loss(teacher, teacher).item()) < 1e-15


def test_a_dead_sample_has_a_finite_gradient() -> None:
    student = u((4, 6), 1).float()
    student[2] = 0
    student.requires_grad_()
    (gradient,) = torch.autograd.grad(PKT().loss(student, u((4, 6), 2).float()), student)
    assert gradient.isfinite().all()


def test_samples_that_are_off_do_not_count() -> None:
    assert_mask_works(PKT().loss, u((6, 8), 1), u((6, 5), 2))

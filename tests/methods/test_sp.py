from math import sqrt

import pytest
import torch
from torch import Tensor

from stillhouse.methods import SP
from tests.golden.closed_form import u
from tests.golden.features import gradient_norm, student_maps, teacher_maps


def _similarities(features: Tensor) -> list[list[float]]:
    samples = [sample.flatten().tolist() for sample in features]
    products = [[sum(a * b for a, b in zip(one, other, strict=True)) for other in samples] for one in samples]
    return [[p / sqrt(sum(q**2 for q in row)) for p in row] for row in products]


@pytest.mark.parametrize(
    ("student", "teacher"),
    [((4, 3, 2, 2), (4, 2, 5, 5)), ((4, 6, 3), (4, 5, 2)), ((4, 7), (4, 3, 4, 4))],
    ids=["maps", "tokens", "a vector and a map"],
)
def test_a_batch_is_charged_for_its_similarities(student: tuple[int, ...], teacher: tuple[int, ...]) -> None:
    s, t = _similarities(u(student, 1)), _similarities(u(teacher, 2))
    expected = sum((s[i][j] - t[i][j]) ** 2 for i in range(4) for j in range(4)) / 16
    assert SP().loss(u(student, 1), u(teacher, 2)).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.recorded
def test_recorded_value_and_gradient() -> None:
    student, teacher = student_maps(), teacher_maps()
    loss = SP().loss(student[-1], teacher[-1])
    assert loss.item() == pytest.approx(0.011548947339567208, rel=1e-8)
    assert gradient_norm(loss, student) == pytest.approx(0.014440231207500853, rel=1e-8)


def test_only_relations_count() -> None:
    student, teacher = u((6, 8), 1), u((6, 5), 2)
    rotation = torch.linalg.qr(u((8, 8), 3)).Q
    torch.testing.assert_close(SP().loss(5 * student @ rotation, teacher), SP().loss(student, teacher))
    assert SP().loss(2 * teacher, teacher).item() < 1e-20


def test_the_order_of_a_batch_does_not_matter() -> None:
    student, teacher, order = u((6, 8), 1), u((6, 5), 2), torch.tensor([3, 1, 5, 0, 4, 2])
    torch.testing.assert_close(SP().loss(student[order], teacher[order]), SP().loss(student, teacher))


def test_samples_that_are_off_count_for_nothing() -> None:
    student, teacher = u((6, 8), 1), u((6, 5), 2)
    active = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(SP().loss(student, teacher, active), SP().loss(student[active > 0], teacher[active > 0]))
    torch.testing.assert_close(SP().loss(student, teacher, torch.ones(6)), SP().loss(student, teacher))
    assert SP().loss(student, teacher, torch.zeros(6)) == 0

from fractions import Fraction
from math import sqrt

import pytest
import torch
from torch import Tensor

from stillhouse.methods import RKD
from stillhouse.methods.rkd import relations
from tests.golden.closed_form import u
from tests.golden.features import gradient_norm, student_vector, teacher_vector
from tests.helpers.batches import assert_mask_works


def _huber(difference: float) -> float:
    return difference**2 / 2 if abs(difference) < 1 else abs(difference) - 0.5


def _relations(features: Tensor) -> tuple[list[list[float]], list[list[list[float]]]]:
    """Distances over their mean, and cosines, from exact sums"""
    samples = [[Fraction(x) for x in sample.flatten().tolist()] for sample in features]

    def product(i: int, j: int, k: int) -> Fraction:
        towards = [[x - y for x, y in zip(sample, samples[i], strict=True)] for sample in (samples[j], samples[k])]
        return sum((x * y for x, y in zip(*towards, strict=True)), start=Fraction(0))

    indices = range(len(samples))
    distances = [[sqrt(product(i, j, j)) for j in indices] for i in indices]
    mean = sum(map(sum, distances)) / (len(samples) * (len(samples) - 1))
    cosines = [
        [
            [0.0 if i in (j, k) else product(i, j, k) / distances[i][j] / distances[i][k] for k in indices]
            for j in indices
        ]
        for i in indices
    ]
    return [[distance / mean for distance in row] for row in distances], cosines


@pytest.mark.parametrize("shape", [(5, 7), (5, 3, 4), (5, 2, 3, 3)], ids=["vectors", "tokens", "maps"])
def test_a_batch_is_charged_for_distances_and_angles(shape: tuple[int, ...]) -> None:
    student, teacher = u(shape, 1), 3 * u((5, 6), 2)
    (s_distances, s_cosines), (t_distances, t_cosines) = _relations(student), _relations(teacher)
    pairs = [(i, j) for i in range(5) for j in range(5)]
    distance = sum(_huber(s_distances[i][j] - t_distances[i][j]) for i, j in pairs) / 25
    angle = sum(_huber(s_cosines[i][j][k] - t_cosines[i][j][k]) for i, j in pairs for k in range(5)) / 125
    assert RKD().loss(student, teacher).item() == pytest.approx(25 * distance + 50 * angle, rel=1e-12)
    only_distance = RKD(distance_weight=1.0, angle_weight=0.0).loss(student, teacher)
    assert only_distance.item() == pytest.approx(distance, rel=1e-12)


@pytest.mark.recorded
def test_recorded_value_and_gradient() -> None:
    student = student_vector()
    loss = RKD().loss(student, teacher_vector())
    assert loss.item() == pytest.approx(1.7737274283849809, rel=1e-8)
    assert gradient_norm(loss, [student]) == pytest.approx(1.8404669846899053, rel=1e-8)


def test_gradient_is_that_of_the_differences() -> None:
    student, teacher = u((6, 9), 1).requires_grad_(), u((6, 5), 2)
    assert torch.autograd.gradcheck(lambda s: RKD().loss(s, teacher), student)


def test_samples_that_nearly_coincide_keep_their_digits() -> None:
    features = 1 + 1e-3 * u((4, 6), 1)  # lengths 2.4, distances 1e-3
    distances, cosines = _relations(features)
    for mine, exact in zip(relations(features), (distances, cosines), strict=True):
        torch.testing.assert_close(mine, torch.tensor(exact, dtype=torch.float64), rtol=1e-11, atol=1e-11)
    single = features.float()
    distances, cosines = _relations(single)
    for mine, exact in zip(relations(single), (distances, cosines), strict=True):
        torch.testing.assert_close(mine, torch.tensor(exact), rtol=1e-6, atol=1e-6)


def test_scale_and_place_do_not_matter() -> None:
    student, teacher = u((6, 8), 1), u((6, 5), 2)
    torch.testing.assert_close(RKD().loss(7 * student + 3, teacher), RKD().loss(student, teacher))
    assert RKD().loss(2 * teacher - 1, teacher).item() < 1e-20


def test_coinciding_samples_and_single_ones_give_no_nan() -> None:
    for student in (u((1, 6), 1), torch.ones(4, 6), u((2, 6), 1)[[0, 1, 1, 0]]):
        leaf = student.float().requires_grad_()
        loss = RKD().loss(leaf, u((len(leaf), 5), 2).float())
        (gradient,) = torch.autograd.grad(loss, leaf)
        assert loss.isfinite()
        assert gradient.abs().max() < 1e3
    assert RKD().loss(u((1, 6), 1), u((1, 5), 2)).item() == 0


def test_samples_that_are_off_do_not_count() -> None:
    assert_mask_works(RKD().loss, u((6, 8), 1), u((6, 5), 2))

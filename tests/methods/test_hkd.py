from math import log, sqrt

import pytest
import torch
from torch import Tensor

from stillhouse.method import Spot
from stillhouse.methods import HKD
from tests.golden.closed_form import u
from tests.golden.features import gradient_norm, student_maps, teacher_maps
from tests.helpers.batches import DATA, assert_mask_works, empty_batch, outputs

_STAGES = [Spot(f"stage{i}", f"stage{i}") for i in (1, 2, 3)]


def _neighbours(features: Tensor, kernel: str) -> list[list[float]]:
    samples = [sample.flatten().tolist() for sample in features]
    lengths = [sqrt(sum(x**2 for x in sample)) + 1e-6 for sample in samples]
    rows = []
    for one, length in zip(samples, lengths, strict=True):
        row = []
        for other, its_length in zip(samples, lengths, strict=True):
            if kernel == "cosine":
                product = sum(a * b for a, b in zip(one, other, strict=True))
                row.append((product / length / its_length + 1) / 2)
            else:
                row.append(1 / (1 + sqrt(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) + 1e-6)))
        rows.append([similarity / sum(row) for similarity in row])
    return rows


@pytest.mark.parametrize("shape", [(5, 7), (5, 3, 4), (5, 2, 3, 3)], ids=["vectors", "tokens", "maps"])
def test_a_batch_is_charged_for_both_kinds_of_neighbours(shape: tuple[int, ...]) -> None:
    student, teacher = u(shape, 1), u((5, 6), 2)
    expected = 0.0
    for kernel in ("cosine", "student_t"):
        s, t = _neighbours(student, kernel), _neighbours(teacher, kernel)
        expected += sum((t[i][j] - s[i][j]) * log(t[i][j] / s[i][j]) for i in range(5) for j in range(5)) / 25
    assert HKD().loss(student, teacher).item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.recorded
def test_recorded_value_and_gradient() -> None:
    student, teacher = student_maps(), teacher_maps()
    method = HKD(weighting="first_stage")
    method.spots = _STAGES
    s, t = (outputs(**{f"stage{i}": maps[i] for i in (1, 2, 3)}) for maps in (student, teacher))
    method.build(s, t, DATA)
    loss = method(s, t, empty_batch())
    assert loss.item() == pytest.approx(0.15853211108795126, rel=1e-8)
    assert gradient_norm(loss, student) == pytest.approx(0.07857086206371687, rel=1e-8)


def test_all_stages_but_the_last_count_for_less_with_every_epoch() -> None:
    method = HKD(initial_weight=100.0, decay=0.7)
    method.spots = _STAGES
    features = outputs(stage1=u((4, 6), 1), stage2=u((4, 6), 2), stage3=u((4, 6), 3))
    teacher = outputs(stage1=u((4, 5), 4), stage2=u((4, 5), 5), stage3=u((4, 5), 6))
    method.build(features, teacher, DATA)
    first, second, third = (method.loss(features[s.student], teacher[s.teacher]) for s in _STAGES)
    for epoch, weight in ((0.0, 100.0), (0.9, 100.0), (1.0, 70.0), (3.5, 34.3)):
        loss = method(features, teacher, empty_batch(4, epoch))
        torch.testing.assert_close(loss, weight * first + weight * second + third)


def test_zero_on_identical_features_and_finite_on_dead_ones() -> None:
    features = u((4, 6), 1).float()
    assert HKD().loss(features, features).item() == 0
    features[1] = 0
    leaf = features.requires_grad_()
    (gradient,) = torch.autograd.grad(HKD().loss(leaf, u((4, 6), 2).float()), leaf)
    assert gradient.isfinite().all()


def test_samples_that_are_off_do_not_count() -> None:
    assert_mask_works(HKD().loss, u((6, 8), 1), u((6, 5), 2))

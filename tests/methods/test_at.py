from math import sqrt

import pytest
import torch
from torch import Tensor

from stillhouse.anatomy import Anatomy
from stillhouse.method import Spot
from stillhouse.methods import AT
from tests.golden.closed_form import u
from tests.golden.features import gradient_norm, student_maps, teacher_maps
from tests.helpers.contract import TRANSFORMERS

REFUSES = TRANSFORMERS


def _attention(features: Tensor, power: float) -> list[float]:
    """(C, H, W) -> H * W numbers"""
    channels, height, width = features.shape
    energy = [
        sum(abs(features[c, i, j].item()) ** power for c in range(channels)) / channels
        for i in range(height)
        for j in range(width)
    ]
    length = sqrt(sum(e**2 for e in energy))
    return [e / length for e in energy]


@pytest.mark.parametrize("power", [1.0, 2.0, 3.0])
def test_each_sample_is_charged_for_where_it_looks(power: float) -> None:
    student, teacher = u((3, 2, 4, 4), 1), u((3, 5, 4, 4), 2)
    losses = AT(power=power).loss(student, teacher)
    for n in range(3):
        s, t = _attention(student[n], power), _attention(teacher[n], power)
        expected = sum((s[i] - t[i]) ** 2 for i in range(16)) / 16
        assert losses[n].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.recorded
def test_recorded_value_and_gradient() -> None:
    student, teacher = student_maps(), teacher_maps()
    loss = torch.stack([AT().loss(s, t).mean() for s, t in zip(student[1:], teacher[1:], strict=True)]).sum()
    assert loss.item() == pytest.approx(0.09316290548218518, rel=1e-8)
    assert gradient_norm(loss, student) == pytest.approx(0.04366204151409414, rel=1e-8)


def test_the_larger_map_is_averaged_down() -> None:
    large, small = u((2, 3, 4, 4), 1), u((2, 5, 2, 2), 2)
    halved = large.reshape(2, 3, 2, 2, 2, 2).mean((3, 5))
    torch.testing.assert_close(AT().loss(large, small), AT().loss(halved, small))
    torch.testing.assert_close(AT().loss(small, large), AT().loss(small, halved))


@pytest.mark.parametrize("height", [4, 12, 3])
def test_maps_need_not_be_square(height: int) -> None:
    wide, tall = u((2, 3, 6, 4), 1), u((2, 5, height, 8), 2)
    losses = AT().loss(wide, tall)
    assert losses.shape == (2,)
    size = (min(6, height), 4)
    s, t = (_attention(torch.nn.functional.adaptive_avg_pool2d(maps, size)[0], 2.0) for maps in (wide, tall))
    assert losses[0].item() == pytest.approx(sum((a - b) ** 2 for a, b in zip(s, t, strict=True)) / len(s), rel=1e-12)


def test_only_the_pattern_counts() -> None:
    student, teacher = u((2, 3, 4, 4), 1), u((2, 5, 4, 4), 2)
    torch.testing.assert_close(AT().loss(20 * student, teacher), AT().loss(student, teacher))
    assert AT().loss(-3 * teacher, teacher).abs().max() < 1e-15


def test_dead_features_give_no_nan() -> None:
    dead = torch.zeros(2, 3, 4, 4, requires_grad=True)
    loss = AT().loss(dead, u((2, 5, 4, 4), 2).float()).sum()
    assert loss.item() == pytest.approx(2 / 16, rel=1e-6)
    (gradient,) = torch.autograd.grad(loss, dead)
    assert gradient.isfinite().all()


def test_tokens_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"AT compares maps \(N, C, H, W\), but the student's features are \(2, 16, 8\)"
    ):
        AT().connector(torch.zeros(2, 16, 8), torch.zeros(2, 5, 4, 4))
    with pytest.raises(ValueError, match="but the teacher's features are"):
        AT().connector(torch.zeros(2, 5, 4, 4), torch.zeros(2, 8))


def test_reads_every_stage_by_default() -> None:
    two, three = Anatomy(stages=("a", "b")), Anatomy(stages=("a", "b", "c"))
    assert AT().choose_spots(two, three) == [Spot("stage1", "stage2"), Spot("stage2", "stage3")]

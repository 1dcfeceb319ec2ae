from math import erfc, exp, pi, sqrt
from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.distillation import Distillation
from stillhouse.method import Spot
from stillhouse.methods import OFD
from stillhouse.models import zoo
from stillhouse.taps import Tapped
from tests.golden.closed_form import u
from tests.golden.patterns import pattern
from tests.helpers.batches import DATA, TINY_DATA, empty_batch, outputs, tiny_batch
from tests.helpers.contract import TRANSFORMERS, ZERO_LOSS
from tests.helpers.networks import tiny

REFUSES = TRANSFORMERS
NOTES = {ZERO_LOSS}

Activation = Literal["relu", "elu", "swish"]


class _Before(nn.Module):
    """A teacher that ends in this BatchNorm and its activation."""

    def __init__(self, norm: nn.Module):
        super().__init__()
        self.norm = norm
        self.act = nn.ReLU()
        self.anatomy = Anatomy(stages=("act",), preacts=("norm",), norms=("norm",))


def _margins(weight: list[float], bias: list[float]) -> Tensor:
    norm = nn.BatchNorm2d(len(weight)).double()
    norm.weight.data, norm.bias.data = torch.tensor(weight).double(), torch.tensor(bias).double()
    probed = outputs(preact1=torch.zeros(2, len(weight), 4, 4))
    return OFD().margins(Spot("preact1", "preact1"), type(probed)(probed.logits, probed.tapped, Tapped(_Before(norm))))


def _bare(method: OFD, *levels: Tensor) -> OFD:
    """With connectors that change nothing."""
    method.spots = [Spot(f"preact{i + 1}", f"preact{i + 1}") for i in range(len(levels))]
    probed = outputs(**{spot.teacher: level for spot, level in zip(method.spots, levels, strict=True)})
    method.build(probed, probed, DATA)
    for level in method.levels:
        level.connector = nn.Identity()
    return method.double()


def _elementwise(s: float, t: float, m: float, activation: Activation) -> float:
    if t > 0:
        return (s - t) ** 2
    if t <= m:
        return (s - m) ** 2 if s > m else 0.0
    target = {"relu": t, "elu": exp(t) - 1, "swish": t / (1 + exp(-t))}[activation]
    return (s - target) ** 2 if s > t else 0.0


@pytest.mark.parametrize("activation", ["relu", "elu", "swish"])
def test_only_what_would_get_through_is_charged(activation: Activation) -> None:
    student, teacher = 2 * u((3, 4, 5, 5), 1), 2 * u((3, 4, 5, 5), 2)
    method = _bare(OFD(margin=-0.7, activation=activation), teacher)
    losses = method(outputs(preact1=student), outputs(preact1=teacher), empty_batch(3))
    margin = -100.0 if activation == "swish" else -0.7
    for n in range(3):
        pairs = zip(student[n].flatten().tolist(), teacher[n].flatten().tolist(), strict=True)
        assert losses[n].item() == pytest.approx(
            sum(_elementwise(s, t, margin, activation) for s, t in pairs), rel=1e-12
        )


@pytest.mark.parametrize("ratio", [0.5, 1.0])
def test_each_level_counts_half_of_the_next_deeper_one(ratio: float) -> None:
    levels = [u((2, 3, 8 // 2**i, 8 // 2**i), i) for i in range(4)]
    student = [u(level.shape, 9) for level in levels]
    method = _bare(OFD(margin=-0.5, level_ratio=ratio), *levels)
    probed = [outputs(**{f"preact{i + 1}": level for i, level in enumerate(side)}) for side in (student, levels)]
    alone = [_bare(OFD(margin=-0.5), level) for level in levels]
    expected = sum(
        ratio ** (3 - i) * alone[i](outputs(preact1=student[i]), outputs(preact1=levels[i]), empty_batch(2))
        for i in range(4)
    )
    assert isinstance(expected, Tensor)
    torch.testing.assert_close(method(*probed, empty_batch(2)), expected)


@pytest.mark.recorded
def test_recorded_margins() -> None:
    recorded = [-0.72941583, -0.52957356, -0.63830763, -0.30000001]
    assert _margins([1.0, 0.5, -0.8, 0.1], [0.2, -0.3, 0.0, 2.0]).tolist() == pytest.approx(recorded, abs=1e-7)


def test_a_margin_is_the_mean_of_what_is_negative() -> None:
    for weight, bias in ((1.3, 0.4), (-0.6, -0.5)):
        deviation = abs(weight)
        share = erfc(bias / deviation / sqrt(2)) / 2
        step = deviation / 1000
        points = [-(i + 0.5) * step for i in range(12000)]
        density = [exp(-(((x - bias) / deviation) ** 2) / 2) / (deviation * sqrt(2 * pi)) for x in points]
        mean = sum(x * p * step for x, p in zip(points, density, strict=True)) / share
        assert _margins([weight], [bias]).item() == pytest.approx(mean, rel=1e-6)


def test_dead_channels_have_finite_margins() -> None:
    assert _margins([0.0, 0.0, 0.0], [1.0, -0.25, 0.0]).tolist() == pytest.approx([0.0, -0.25, 0.0], abs=1e-9)


@pytest.mark.recorded
def test_recorded_distance() -> None:
    student, teacher = pattern(3, 8, 1.0, 0.1), pattern(4, 8, 1.2, 0.7)
    source = torch.cat([student, student[:, :1]], dim=1)
    method = _bare(OFD(margin=-1.0), teacher)
    margins = _margins([1.0, 0.5, -0.8, 0.1], [0.2, -0.3, 0.0, 2.0])
    method.levels[0].margin = margins[:, None, None]
    loss = method(outputs(preact1=source), outputs(preact1=teacher), empty_batch(4)).mean()
    assert loss.item() == pytest.approx(87.1206013739, rel=1e-8)


def test_margins_are_those_of_the_teachers_norms() -> None:
    teacher = zoo("wrn_10_1", 10)
    with torch.no_grad():
        for k, norm in enumerate(module for module in teacher.modules() if isinstance(module, nn.BatchNorm2d)):
            norm.weight.fill_(0.1 * (k + 1))
    method = OFD(at=[("stem", "block1.layer.0.bn1"), ("preact1", "preact1"), ("preact2", "block3.layer.0.bn1")])
    distillation = Distillation(zoo("wrn_10_1", 10), teacher, [method], DATA)
    expected = [0.1, 0.3, 0.5]  # standard deviations of the norms at the heads of blocks 1 to 3, with mean 0
    for level, deviation in zip(method.levels, expected, strict=True):
        margins = level.get_buffer("margin").flatten().tolist()
        assert margins == pytest.approx([-deviation * sqrt(2 / pi)] * len(margins), rel=1e-5)
    assert not any(parameter is norm for norm in teacher.parameters() for parameter in distillation.parameters())


def test_the_teachers_map_is_pooled_to_the_students_size() -> None:
    student, teacher = u((2, 3, 4, 4), 1), u((2, 3, 8, 8), 2)
    method = _bare(OFD(margin=-0.5), teacher)
    pooled = F.avg_pool2d(teacher, 2)
    probed = outputs(preact1=student)
    torch.testing.assert_close(
        method(probed, outputs(preact1=teacher), empty_batch(2)),
        method(probed, outputs(preact1=pooled), empty_batch(2)),
    )


def test_unequal_networks_meet_at_the_deepest_levels() -> None:
    method = OFD()
    student, teacher = tiny(), Tapped(zoo("vgg8", 5)).requires_grad_(False)
    distillation = Distillation(student, teacher, [method], TINY_DATA)
    assert method.spots[-1].teacher == "preact4"
    batch = tiny_batch()
    loss = distillation(batch, teacher(batch.images))["OFD"]
    torch.autograd.backward(loss)
    assert student.conv2.weight.grad is not None
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_the_teacher_uses_batch_statistics_unless_told_otherwise() -> None:
    assert OFD().teacher_statistics == "batch"
    assert OFD(teacher_statistics="running").teacher_statistics == "running"


def test_a_place_without_a_norm_is_refused_and_one_margin_helps() -> None:
    at = [("preact1", "layer1.0.conv1")]
    with pytest.raises(
        ValueError,
        match=r"OFD: a BatchNorm must come just before .*layer1.0.conv1, .* OFD",
    ):
        Distillation(zoo("resnet8", 10), zoo("resnet20", 10), [OFD(at=at)], DATA)
    method = OFD(at=at, margin=-1)
    Distillation(zoo("resnet8", 10), zoo("resnet20", 10), [method], DATA)
    assert method.levels[0].get_buffer("margin").eq(-1).all()


def test_tokens_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"OFD compares maps \(N, C, H, W\), but the student's features are \(2, 5, 4\)"
    ):
        _bare(OFD(margin=-1.0), torch.zeros(2, 5, 4))

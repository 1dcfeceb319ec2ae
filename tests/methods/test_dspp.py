from math import ceil, floor, sqrt
from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stillhouse.batch import Batch, DataInfo
from stillhouse.distillation import Distillation
from stillhouse.method import Spot
from stillhouse.methods import DSPP
from stillhouse.models import zoo
from stillhouse.taps import Tapped
from tests.golden.closed_form import u
from tests.golden.features import fill_auxiliary, gradient_norm
from tests.helpers.contract import TRANSFORMERS, ZERO_LOSS

REFUSES = TRANSFORMERS
NOTES = {ZERO_LOSS}

SIZES = [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (7, 7), (8, 8), (4, 6)]


def _regions(side: int, level: int, pooling: str) -> list[tuple[list[int], int]]:
    """The positions in each region along one side, and what their sum is divided by."""
    if pooling == "adaptive":
        ranges = [range(floor(i * side / level), ceil((i + 1) * side / level)) for i in range(level)]
        return [(list(positions), len(positions)) for positions in ranges]
    size = ceil(side / level)
    begin = -ceil((size * level - side) / 2)
    starts = [begin + i * size for i in range(level)]
    return [([p for p in range(start, start + size) if 0 <= p < side], size) for start in starts]


def _pyramid(features: Tensor, levels: int, pooling: str) -> list[float]:
    """(C, H, W) -> averages over regions, to unit length"""
    channels, height, width = features.shape
    averages = [
        sum(features[c, i, j].item() for i in rows for j in columns) / (row_count * column_count)
        for level in range(1, levels + 1)
        for rows, row_count in _regions(height, level, pooling)
        for columns, column_count in _regions(width, level, pooling)
        for c in range(channels)
    ]
    length = sqrt(sum(a**2 for a in averages))
    return [a / length for a in averages]


@pytest.mark.parametrize("pooling", ["padded", "adaptive"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_strong_and_weak_averages_are_charged_apart(
    size: tuple[int, int], pooling: Literal["padded", "adaptive"]
) -> None:
    student, teacher = u((2, 3, *size), 1).abs(), u((2, 3, 5, 5), 2).abs()
    method = DSPP(levels=4, divisor=5, strong_weight=0.7, weak_weight=3.0, pooling=pooling)
    plain = DSPP(levels=4, decoupled=False, pooling=pooling)
    for n in range(2):
        s, t = _pyramid(student[n], 4, pooling), _pyramid(teacher[n], 4, pooling)
        strongest = sorted(range(len(t)), key=lambda i: -t[i])[: len(t) // 5]
        strong = sum((s[i] - t[i]) ** 2 for i in strongest)
        weak = sum((s[i] - t[i]) ** 2 for i in range(len(t)) if i not in strongest)
        expected = 0.7 * sqrt(strong) + 3.0 * sqrt(weak)
        assert method.loss(student, teacher)[n].item() == pytest.approx(expected, rel=1e-12)
        assert plain.loss(student, teacher)[n].item() == pytest.approx(sqrt(strong + weak), rel=1e-12)


@pytest.mark.parametrize("side", range(1, 15))
def test_padded_regions_are_those_of_the_code_wherever_it_runs(side: int) -> None:
    features = u((2, 3, side, side), side)
    for level in range(1, 6):
        kernel = ceil(side / level)
        padding = (kernel * level - side + 1) // 2
        if 2 * padding > kernel:
            continue  # avg_pool2d refuses
        pooled = F.avg_pool2d(features, kernel, kernel, padding)
        assert pooled.shape[-1] == level
        ours = DSPP(levels=level).pyramid(features).reshape(2, -1, 3)[:, -(level**2) :].mT
        torch.testing.assert_close(ours, pooled.flatten(2))


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("levels", "total", "squares"),
    [
        (1, 15.987919991760382, 4.104677280557903),
        (2, 79.93959995880189, 21.847979218539663),
        (3, 193.6314754557646, 50.80293334676083),
        (4, 449.4381953239307, 140.76649227343066),
    ],
)
def test_recorded_pyramids(levels: int, total: float, squares: float) -> None:
    pyramid = DSPP(levels=levels).pyramid(u((8, 8, 8, 8), 81).clamp(min=0))
    assert pyramid.shape == (8, 8 * sum(k * k for k in range(1, levels + 1)))
    assert pyramid.sum().item() == pytest.approx(total, rel=1e-12)
    assert pyramid.square().sum().item() == pytest.approx(squares, rel=1e-12)


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("method", "student_seed", "side", "teacher_seed", "loss", "student_gradient", "projection_gradient"),
    [
        (DSPP(), 82, 8, 95, 2.2755108721573167, 0.05385127248740363, 1.4354233658218418),
        (DSPP(1.0, 3, 100, 1.0, 10.0), 82, 8, 83, 8.530946053964456, 0.17995640721483538, 7.030603980003886),
        (DSPP(1.0, 3, 5, 1.0, 10.0), 84, 4, 83, 7.862492662938411, 0.31250606023090877, 4.969870633707377),
        (DSPP(levels=3, decoupled=False), 84, 4, 83, 0.9175404218687006, 0.028859468697511922, 0.509690393314323),
    ],
    ids=["code's defaults", "README", "half as large", "plain"],
)
def test_recorded_values_and_gradients(
    method: DSPP,
    student_seed: int,
    side: int,
    teacher_seed: int,
    loss: float,
    student_gradient: float,
    projection_gradient: float,
) -> None:
    student = u((8, 8, side, side), student_seed).clamp(min=0).requires_grad_()
    teacher = u((8, 12, 8, 8), teacher_seed).clamp(min=0)
    projection = method.connector(student, teacher).double()
    fill_auxiliary(projection)
    ours = method.loss(projection(student), teacher).mean()
    assert ours.item() == pytest.approx(loss, rel=1e-8)
    assert gradient_norm(ours, [student]) == pytest.approx(student_gradient, rel=1e-8)
    assert gradient_norm(ours, projection.parameters()) == pytest.approx(projection_gradient, rel=1e-8)


def test_every_average_is_strong_or_weak_even_among_equals() -> None:
    student, teacher = u((2, 3, 8, 8), 1), u((2, 3, 8, 8), 2).clamp(min=0.9)  # most averages of the teacher are 0.9
    strong = DSPP(strong_weight=1.0, weak_weight=0.0).loss(student, teacher)
    weak = DSPP(strong_weight=0.0, weak_weight=1.0).loss(student, teacher)
    torch.testing.assert_close(strong**2 + weak**2, DSPP(decoupled=False).loss(student, teacher) ** 2)


def test_with_fewer_averages_than_the_divisor_all_are_weak() -> None:
    student, teacher = u((2, 3, 8, 8), 1), u((2, 3, 8, 8), 2)
    plain = DSPP(levels=2, decoupled=False).loss(student, teacher)
    torch.testing.assert_close(DSPP(levels=2, divisor=100).loss(student, teacher), 2.5 * plain)


@pytest.mark.parametrize("teacher", [u((2, 3, 8, 8), 1), torch.zeros(2, 3, 8, 8)], ids=["equal", "dead"])
def test_no_distance_has_no_gradient_and_no_nan(teacher: Tensor) -> None:
    student = teacher.clone().requires_grad_()
    loss = DSPP().loss(student, teacher).sum()
    assert loss.item() == 0
    (gradient,) = torch.autograd.grad(loss, student)
    assert gradient.abs().max() == 0


def test_reads_the_third_stage_or_any_others() -> None:
    student, teacher, data = zoo("resnet8", 10), Tapped(zoo("vgg8", 10)), DataInfo(10, 32, torch.arange(10))
    one, every = DSPP(), DSPP(at="stages")
    distillation = Distillation(student, teacher, [one, every], data)
    assert one.spots == [Spot("stage3", "stage3")]
    assert every.spots == [Spot("stage1", "stage2"), Spot("stage2", "stage3"), Spot("stage3", "stage4")]
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        s, t = distillation.student(images), teacher(images)
        batch = Batch(images, torch.arange(4), torch.arange(4))
        apart = [every.loss_at(spot, s, t, batch) for spot in every.spots]
        torch.testing.assert_close(every(s, t, batch), apart[0] + apart[1] + apart[2])
    assert all(loss.shape == (4,) for loss in apart)

    observed = {name: value.item() for name, value in every.observations().items()}
    assert list(observed)[:3] == ["stage1_stage2/strong", "stage1_stage2/weak", "stage2_stage3/strong"]
    for i, spot in enumerate(every.spots):
        both = observed[f"{'_'.join(spot)}/strong"] + observed[f"{'_'.join(spot)}/weak"]
        assert both == pytest.approx(apart[i].mean().item(), rel=1e-5)
    assert list(one.observations()) == ["stage3/strong", "stage3/weak"]


def test_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match=r"DSPP compares maps .* the student's features are \(2, 16, 8\)"):
        DSPP().connector(torch.zeros(2, 16, 8), torch.zeros(2, 5, 4, 4))


def test_counts_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="DSPP: levels must be between 1 and 64, not 0"):
        DSPP(levels=0)

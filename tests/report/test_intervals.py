"""Intervals: by hand, by simulation, and where there is none."""

import math

import pytest
import torch

from stillhouse.report.intervals import difference, over_images, wilson


def test_the_interval_is_the_one_of_the_book() -> None:
    values = {0: 0.3, 1: 0.9, 2: 0.6, 3: -0.2, 4: 0.4}
    mean = sum(values.values()) / 5
    spread = math.sqrt(sum((value - mean) ** 2 for value in values.values()) / 4)
    half = 2.776445105 * spread / math.sqrt(5)  # Student's t with 4 degrees of freedom, 97.5 %, from a table
    found = difference(values)
    assert found.mean == pytest.approx(0.4)
    assert (found.low, found.high) == pytest.approx((mean - half, mean + half), rel=1e-8)
    assert not found.is_clear  # -0.09 to 0.89


@pytest.mark.parametrize(("shift", "is_clear"), [(0.2, True), (-0.2, False), (-1.2, True)])
def test_it_is_clear_where_it_leaves_out_zero(shift: float, is_clear: bool) -> None:
    values = {seed: value + shift for seed, value in enumerate((0.3, 0.9, 0.6, -0.2, 0.4))}
    assert difference(values).is_clear is is_clear


def test_equal_numbers_differ_by_exactly_zero() -> None:
    found = difference({0: 0.0, 1: 0.0})
    assert (found.mean, found.low, found.high, found.is_clear) == (0, 0, 0, False)


@pytest.mark.parametrize("values", [{3: 5.0}, {0: 1.5, 1: 1.5, 2: 1.5}])
def test_without_spread_there_is_no_interval(values: dict[int, float]) -> None:
    found = difference(values)
    assert (found.low, found.high, found.is_clear) == (None, None, False)
    assert found.mean == next(iter(values.values()))


def test_the_interval_over_images_is_the_one_of_the_paper() -> None:
    one = torch.tensor([True] * 12 + [False] * 3 + [True] * 80 + [False] * 5)
    other = torch.tensor([False] * 12 + [True] * 3 + [True] * 80 + [False] * 5)
    found = over_images(one, other)
    first, second = 13 / 102, 4 / 102
    half = 1.959963985 * math.sqrt((first + second - (first - second) ** 2) / 102)
    assert found.points == pytest.approx(9.0)
    assert found.images == 100
    assert (found.low, found.high) == pytest.approx((100 * (9 / 102 - half), 100 * (9 / 102 + half)), rel=1e-8)
    assert found.is_clear
    back = over_images(other, one)
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))


def test_equal_networks_have_an_interval_around_zero() -> None:
    same = torch.arange(360) > 9
    found = over_images(same, same)
    assert (found.points, found.is_clear) == (0, False)
    assert -0.8 < found.low < 0 < found.high < 0.8


@pytest.mark.parametrize("images", [60, 360])
def test_95_of_100_intervals_hold_the_truth(images: int) -> None:
    generator, held, times = torch.Generator().manual_seed(0), 0, 4000
    for _ in range(times):
        draw = torch.rand(images, generator=generator)  # 3 % only the first, 1 % only the second, 2 % neither
        found = over_images(~((draw >= 0.03) & (draw < 0.06)), draw >= 0.05)
        held += found.low <= 100 * 0.02 <= found.high
    assert held / times > 0.94


@pytest.mark.parametrize(
    ("right", "count", "low", "high"), [(9, 12, 0.4677, 0.9111), (0, 10, 0.0, 0.2775), (50, 100, 0.4038, 0.5962)]
)
def test_the_interval_is_wilsons(right: int, count: int, low: float, high: float) -> None:
    """Published values: Newcombe, Statistics in Medicine 1998; R's binom::binom.wilson."""
    assert wilson(right / count, count) == pytest.approx((low, high), abs=2e-4)

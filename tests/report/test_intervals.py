"""Intervals: by hand, and where there is none."""

import math

import pytest

from stillhouse.report.intervals import difference


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

"""Paired differences over seeds and their t-intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """Differences to a baseline over common seeds, in percentage points.

    Args:
        values: Differences by seed.
        low: Lower end of the t-interval; None for fewer than two seeds, and if all values are equal but not zero.
        high: Its upper end.
    """

    values: Mapping[int, float]
    low: float | None
    high: float | None

    @property
    def mean(self) -> float:
        return fmean(self.values.values())

    @property
    def is_clear(self) -> bool:
        """True if the interval does not contain zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def difference(values: Mapping[int, float]) -> Difference:
    """Return paired differences with the t-interval of their mean.

    Equal differences have no spread to estimate an interval from. Those of two methods with equal settings are exactly
    zero, and so is the interval; for other equal values there is no interval.
    """
    numbers = list(values.values())
    if len(numbers) < 2:
        return Difference(values, None, None)
    if len(set(numbers)) == 1:
        end = 0.0 if numbers[0] == 0 else None
        return Difference(values, end, end)
    from scipy import stats  # here, because importing it takes a second

    low, high = stats.t.interval(CONFIDENCE, len(numbers) - 1, loc=fmean(numbers), scale=stats.sem(numbers))
    return Difference(values, float(low), float(high))

"""Paired differences over seeds with their t-intervals, and over the test images of one seed; shares of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, fmean, stdev

from torch import Tensor

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
    from scipy.special import stdtrit  # here, for commands without intervals; scipy.stats takes a second to import

    quantile = float(stdtrit(len(numbers) - 1, (1 + CONFIDENCE) / 2))
    mean, reach = fmean(numbers), quantile * stdev(numbers) / sqrt(len(numbers))
    return Difference(values, mean - reach, mean + reach)


@dataclass(frozen=True)
class Paired:
    """Difference of two networks' accuracies on the same images, in percentage points, and its 95 % interval.

    The interval is about other images of the same kind: it does not say how other seeds would differ.
    """

    points: float
    low: float
    high: float
    images: int

    @property
    def is_clear(self) -> bool:
        """True if the interval does not contain zero."""
        return self.low > 0 or self.high < 0


def over_images(one: Tensor, other: Tensor) -> Paired:
    """Return how much more of the images the first network gets right than the other.

    The interval is the adjusted Wald interval for paired proportions (Bonett & Price, J. Educ. Behav. Stat. 2012),
    which holds for few images too: to the images that only one of the two gets right, one is added on each side.

    Args:
        one: (N,) bool, the images that it gets right.
        other: (N,) bool, likewise.
    """
    images, gained, lost = len(one), int((one & ~other).sum()), int((other & ~one).sum())
    first, second = (gained + 1) / (images + 2), (lost + 1) / (images + 2)
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * sqrt((first + second - (first - second) ** 2) / (images + 2))
    middle = first - second
    low, high = max(middle - half, -1.0), min(middle + half, 1.0)
    return Paired(100 * (gained - lost) / images, 100 * low, 100 * high, images)


def wilson(share: float, count: int, sigmas: float | None = None) -> tuple[float, float]:
    """Return the interval of a share of so many images (Wilson, J. Am. Stat. Assoc. 1927), from 0 to 1.

    It is about other images of the same kind, and holds for few images and near 0 and 1 too.

    Args:
        sigmas: Its half width in standard deviations; by default as many as hold 95 % of a normal distribution.
    """
    sigmas = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) if sigmas is None else sigmas
    z = sigmas**2 / count
    middle = (share + z / 2) / (1 + z)
    half = sigmas * sqrt((share * (1 - share) + z / 4) / count) / (1 + z)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def of_share(right: int, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of the share of images that are right, in percent."""
    low, high = wilson(right / count, count)
    return 100 * low, 100 * high

"""Times of a network on this machine: the middle one and the slow ones, not the mean."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from torch import Tensor

_SECONDS, _LEAST, _MOST = 1.0, 10, 500  # of measuring, calls
_WARM_UP = 3  # calls


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one call.

    Args:
        p50: Half of the calls are faster.
        p95: 95 % of the calls are faster.
        calls: Number of calls that were timed.
    """

    p50: float
    p95: float
    calls: int

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    def __str__(self) -> str:
        return f"{_rounded(self.p50)} / {_rounded(self.p95)}"


def _rounded(value: float) -> str:
    return f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"


def latency(run: Callable[[Tensor], object], images: Tensor, seconds: float = _SECONDS, least: int = _LEAST) -> Latency:
    """Time a network on a batch, for about so many seconds.

    Args:
        least: Number of calls that are timed even if they take longer; nothing warms up for a single one.
    """
    for _ in range(_WARM_UP if least > 1 else 0):
        run(images)
    times: list[float] = []
    until = time.perf_counter() + seconds
    while len(times) < least or (time.perf_counter() < until and len(times) < _MOST):
        began = time.perf_counter()
        run(images)
        times.append(1000 * (time.perf_counter() - began))
    times.sort()
    return Latency(quantile(times, 0.5), quantile(times, 0.95), len(times))


def quantile(ordered: list[float], share: float) -> float:
    """Return the smallest value that this share of the ordered values does not exceed."""
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]

"""A training that fits a budget of time: what to change, and what is given up."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_MOST = 366 * 86400.0
FEW = 10  # epochs, in which little is learned
_GAIN = 0.9  # a change that gives up something is proposed if it takes at most so much of the time


def seconds_of(budget: str) -> float:
    """Return the seconds of 90s, 30m, 2h, 1.5h, 1h30m or 1d.

    Raises:
        ValueError: If it is not a duration.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)(min|[smhd])", budget.strip().lower())
    whole = re.fullmatch(r"(\d{1,9}(\.\d{1,9})?(min|[smhd])){1,4}", budget.strip().lower())
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts) if whole else 0.0
    if not whole:
        raise ValueError(f"--budget takes a duration such as 90s, 30m, 2h or 1d, not {budget!r}")
    if not 0 < seconds <= _MOST:
        raise ValueError(f"--budget must be above 0 and at most a year, not {budget}")
    return seconds


@dataclass(frozen=True)
class Way:
    """One way to train, that may give up something.

    Args:
        seconds: Returns how long a number of epochs takes, all of it.
        changes: Options to add to the command.
        gives_up: Clauses about what is given up, or changes.
    """

    seconds: Callable[[int], float]
    changes: Mapping[str, object]
    gives_up: Sequence[str] = ()


@dataclass(frozen=True)
class Proposal:
    """A training within a budget.

    Args:
        epochs: Number of epochs; 0 if too few fit.
        seconds: Time that it takes; if too few epochs fit, time of as few as can be trained.
        gives_up: Clauses; empty if all fits as asked.
    """

    epochs: int
    seconds: float
    changes: Mapping[str, object]
    gives_up: Sequence[str]

    @property
    def is_short(self) -> bool:
        """True if so few epochs are left that little is learned."""
        return self.epochs < FEW and any("epochs" in clause for clause in self.gives_up)


def propose(ways: Sequence[Way], epochs: int, budget: float, least: int = 1) -> Proposal:
    """Return the way that gives up least: all epochs if a way has time for them, else as many as fit.

    Args:
        ways: The first as asked, the others in the order of how much they give up.
        epochs: As asked.
        budget: Seconds.
        least: The smallest number of epochs that can be trained: a learning rate may need some to rise.
    """
    for way in ways:
        if way.seconds(epochs) <= budget:
            return Proposal(epochs, way.seconds(epochs), way.changes, list(way.gives_up))
    best = ways[0]
    for way in ways[1:]:
        if way.seconds(epochs) <= _GAIN * best.seconds(epochs):
            best = way
    fitting = _fitting(best, epochs, budget)
    if fitting < least:
        return Proposal(0, best.seconds(least), {}, [])
    given_up = [f"epochs {epochs} -> {fitting}", *best.gives_up]
    return Proposal(fitting, best.seconds(fitting), {**best.changes, "epochs": fitting}, given_up)


def rescaled(milestones: Sequence[float], epochs: int) -> tuple[float, ...]:
    """Return milestones of a training of so many epochs as fractions, for one that has fewer."""
    parts = [milestone if milestone < 1 else round(milestone / epochs, 4) for milestone in milestones]
    return tuple(part for part in parts if part < 1)


def _fitting(way: Way, epochs: int, budget: float) -> int:
    """Return the largest number of epochs that fits."""
    low, high = 0, epochs
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if way.seconds(middle) <= budget else (low, middle - 1)
    return low

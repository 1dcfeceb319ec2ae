"""Successive halving (Jamieson and Talwalkar, AISTATS 2016, arXiv:1502.07943): most settings are stopped early.

Settings start side by side. After some parts of their epochs, those among the best third of all that came so far go on
by their validation accuracy. Optuna's `SuccessiveHalvingPruner` is not used: it decides about trials one after another
as they report, so of several that arrive at the same time the first would always go on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..bench.plan import Cell
from ..bench.run import Comparison

SHARE = 3  # one of so many goes on


@dataclass(frozen=True)
class Stop:
    """The state of a setting after a part of its epochs.

    Args:
        epochs: Number of epochs that it has been trained.
        top1: By seed, on the validation images after the last of them, in percent.
    """

    epochs: int
    top1: Mapping[int, float]

    @property
    def mean(self) -> float:
        return sum(self.top1.values()) / len(self.top1)


class Halving:
    """The decisions of a search, which depend on nothing but validation accuracy and the order of the settings.

    Args:
        together: Number of settings that start side by side.
        least: Number that go on at least, and so to the end.
        rungs: Number of parts after which some are stopped; by default as many as leave `least` of them.
    """

    def __init__(self, together: int, least: int = 1, rungs: int | None = None):
        self.least = least
        rungs = rungs or max(1, math.ceil(round(math.log(together / least, SHARE), 6)))
        self.parts = [SHARE**-rung for rung in range(rungs, 0, -1)]  # of the epochs, after which some are stopped
        self._reached: dict[float, dict[int, float]] = {part: {} for part in self.parts}

    def go_on(self, part: float, found: Mapping[int, float]) -> set[int]:
        """Return the settings that go on: those among the best third of all that came as far, at least `least`.

        Args:
            part: One of `parts`.
            found: Validation accuracy, by number, of settings that have got there now.
        """
        reached = self._reached[part]
        reached |= found
        best = sorted(reached, key=lambda number: (-reached[number], number))[: self.going_on(len(reached))]
        return {*best} & found.keys()

    def going_on(self, count: int) -> int:
        """Return the number of settings that go on of so many that have come as far."""
        return max(self.least, count // SHARE)

    def forget(self, numbers: Iterable[int]) -> None:
        """Forget settings that went on and failed later, so that no other is stopped because of them."""
        for number in numbers:
            for reached in self._reached.values():
                reached.pop(number, None)


def reached(comparison: Comparison, members: Mapping[int, Sequence[Cell]]) -> dict[int, Stop]:
    """Return the states of settings after the part of their epochs that was trained last, without those that failed."""
    stops: dict[int, Stop] = {}
    for number, students in members.items():
        rows = {one.seed: comparison.after_part(one) for one in students if one not in comparison.failures}
        top1 = {seed: float(row["top1"]) for seed, row in rows.items() if row is not None}
        epochs = [row["epoch"] for row in rows.values() if row is not None]
        if len(top1) == len(students):
            stops[number] = Stop(int(epochs[0]), top1)
    return stops

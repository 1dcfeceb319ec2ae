"""A grid as a person sees it while it trains: the validation images only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..analysis.tables import percent
from ..bench.display import BenchDisplay
from ..bench.plan import Cell
from ..spelling import counted
from ..training.progress import Display
from ..training.run_folder import Run
from .scores import validation_top1

_SHOWN = 4  # students of a room in one line


class GridDisplay(BenchDisplay):
    """Shows a table of cells and seeds that fills up with the top-1 on the validation images.

    Args:
        plain: Where to print.
        title: The grid in words, such as "grid: 4 x 4".
    """

    def __init__(self, plain: Display, title: str):
        super().__init__(plain)
        self.title = title

    def describe(self, cells: Iterable[Cell]) -> str:
        """Return in words what is compared."""
        seeds = len({cell.seed for cell in cells})
        return f"{self.title} x {counted(seeds, 'seed')}"

    def epoch_of(self, top1: Mapping[Cell, float]) -> str:
        """Return in words how good the students of a room are on the validation images after an epoch."""
        if len(top1) <= _SHOWN:
            return f"validation {super().epoch_of(top1)}"
        best = max(top1, key=lambda cell: top1[cell])
        return (
            f"{len(top1)} students, validation {percent(min(top1.values()))} to {percent(top1[best])} with {best.label}"
        )

    def score(self, run: Run) -> float:
        """Return the number of a finished run that is compared, in percent."""
        return validation_top1(run)

"""Outcomes of a grid: the validation top-1 of every cell, the cell that was chosen, and the test top-1 of that one."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from ..analysis.tables import percent
from ..bench.plan import Cell
from ..training.run_folder import Run
from .axes import Settings, shown


@dataclass(frozen=True)
class Scored:
    """A cell of a grid with what is known of it.

    Args:
        settings: What is varied.
        runs: Its finished runs by seed.
        seeds: All seeds that it was to be trained with.
    """

    settings: Settings
    runs: Mapping[int, Run]
    seeds: Sequence[int]

    @property
    def is_complete(self) -> bool:
        return len(self.runs) == len(self.seeds)

    def validation(self, seed: int) -> float | None:
        """Return its top-1 on the validation images after the last epoch, in percent; None if it is not trained."""
        return validation_top1(self.runs[seed]) if seed in self.runs else None

    @property
    def mean(self) -> float:
        """The mean of its validation top-1 over the seeds; NaN unless all of them are trained."""
        found = [validation_top1(run) for run in self.runs.values()]
        return sum(found) / len(found) if self.is_complete else math.nan

    def tests(self) -> list[float]:
        """Return its top-1 on the test images for each seed, in percent: not for choosing."""
        return [float(str(run.result["top1"])) for run in self.runs.values()]


def validation_top1(run: Run) -> float:
    """Return the top-1 of a finished run on the validation images after its last epoch, in percent."""
    return float(run.rows()[-1]["top1"])


def scored(
    cells: Mapping[int, Settings], members: Mapping[int, Sequence[Cell]], runs: Mapping[Cell, Run]
) -> list[Scored]:
    """Return the cells of a grid, in their order, with their finished runs.

    Args:
        cells: Settings by number.
        members: The students of each.
        runs: Of the students.
    """
    return [
        Scored(
            settings,
            {one.seed: runs[one] for one in members[number] if runs[one].is_done},
            [one.seed for one in members[number]],
        )
        for number, settings in cells.items()
    ]


def chosen(found: Sequence[Scored]) -> Scored | None:
    """Return the cell with the best mean on the validation images, of equal ones the first; None if none is trained."""
    return max((one for one in found if one.is_complete), key=lambda one: one.mean, default=None)


def table(found: Sequence[Scored], choice: Scored | None, test: bool) -> Table:
    """Return the table of a grid: settings, the mean on the validation images, and each seed.

    Args:
        test: Show the test images as well.
    """
    names, seeds = list(found[0].settings), found[0].seeds
    several = [f"seed {seed}" for seed in seeds] if len(seeds) > 1 else []
    result = Table(*names, box=box.SIMPLE_HEAD)
    for heading in ["validation", *several, *(["test (not for choosing)"] if test else []), ""]:
        result.add_column(heading, justify="right")
    for one in found:
        settings = [shown(value) for value in one.settings.values()]
        each = [percent(one.validation(seed)) or "failed" for seed in seeds]
        mean = percent(one.mean) if one.is_complete else "failed"
        tested = [_mean(one.tests()) if one.is_complete else ""] if test else []
        result.add_row(*settings, mean, *(each if several else []), *tested, "chosen" if one is choice else "")
    return result


def csv_of(found: Sequence[Scored], choice: Scored | None, test: bool) -> bytes:
    """Return the table as a file: a line for each cell and seed; the test images for the chosen cell, or for all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*found[0].settings, "seed", "validation_top1", "chosen", "test_top1", "run"])
    for one in found:
        settings = [shown(value) for value in one.settings.values()]
        tests = dict(zip(one.runs, one.tests(), strict=True)) if test or one is choice else {}
        for seed in one.seeds:
            folder = one.runs[seed].folder.name if seed in one.runs else ""
            numbers = [one.validation(seed), "yes" if one is choice else "", tests.get(seed)]
            writer.writerow([*settings, seed, *("" if value is None else value for value in numbers), folder])
    return text.getvalue().encode()


def _mean(numbers: Sequence[float]) -> str:
    return percent(sum(numbers) / len(numbers))

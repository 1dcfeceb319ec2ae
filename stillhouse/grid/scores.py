"""Outcomes of a grid: the validation top-1 of every cell, the cell that was chosen, and the test top-1 of that one."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..analysis.tables import Fitting, percent
from ..bench.plan import Cell
from ..spelling import counted
from ..training.run_folder import Run
from .axes import Settings, shown, words
from .halving import Stop

_CLOSE = 1e-6  # percent: equal but for rounding


@dataclass(frozen=True)
class Scored:
    """A cell of a grid with what is known of it.

    Args:
        settings: What is varied.
        runs: Its finished runs by seed; those of a cell that was stopped, finished or not.
        seeds: All seeds that it was to be trained with.
        stop: Where a search stopped it, even if another command has finished its runs: it is never compared with
            settings that went on.
    """

    settings: Settings
    runs: Mapping[int, Run]
    seeds: Sequence[int]
    stop: Stop | None = None

    @property
    def is_complete(self) -> bool:
        return self.stop is None and len(self.runs) == len(self.seeds)

    def validation(self, seed: int) -> float | None:
        """Return its top-1 on the validation images after the last epoch, in percent; None if it is not trained."""
        return validation_top1(self.runs[seed]) if self.stop is None and seed in self.runs else None

    @property
    def mean(self) -> float:
        """The mean of its validation top-1 over the seeds; NaN unless all of them are trained."""
        if not self.is_complete:
            return math.nan
        found = [validation_top1(run) for run in self.runs.values()]
        return sum(found) / len(found)

    def tests(self) -> list[float]:
        """Return its top-1 on the test images for each seed, in percent: not for choosing."""
        return [float(str(run.result["top1"])) for run in self.runs.values()]


def validation_top1(run: Run) -> float:
    """Return the top-1 of a finished run on the validation images after its last epoch, in percent."""
    return float(run.rows()[-1]["top1"])


def scored(
    cells: Mapping[int, Settings],
    members: Mapping[int, Sequence[Cell]],
    runs: Mapping[Cell, Run],
    stops: Mapping[int, Stop],
) -> list[Scored]:
    """Return the cells of a grid, in their order, with their runs.

    Args:
        cells: Settings by number.
        members: The students of each.
        runs: Of the students.
        stops: Where some of the cells were stopped.
    """
    return [
        Scored(
            settings,
            {one.seed: runs[one] for one in members[number] if number in stops or runs[one].is_done},
            [one.seed for one in members[number]],
            stops.get(number),
        )
        for number, settings in cells.items()
    ]


def chosen(found: Sequence[Scored]) -> Scored | None:
    """Return the cell with the best mean on the validation images, of equal ones the first; None if none is trained."""
    return next(iter(_best(found)), None)


def undecided(found: Sequence[Scored]) -> str | None:
    """Return a sentence if several cells are equally good, so that their order chose; None if one is the best."""
    best = _best(found)
    if len(best) < 2:
        return None
    return (
        f"{len(best):,} settings are equally good on the validation images, {best[0].mean:.2f} % each; the first of "
        f"them in the table is chosen, {words(best[0].settings)}, because nothing that was measured tells them apart; "
        f"more --seeds or a larger --validation may"
    )


def _best(found: Sequence[Scored]) -> list[Scored]:
    """Return the cells whose mean on the validation images none exceeds, in their order."""
    complete = [one for one in found if one.is_complete]
    most = max((one.mean for one in complete), default=math.nan)
    return [one for one in complete if one.mean > most - _CLOSE]


def table(found: Sequence[Scored], choice: Scored | None, test: bool) -> Fitting:
    """Return the table of a grid: settings, the mean on the validation images, and each seed.

    Args:
        test: Show the test images as well.
    """
    names, seeds = list(found[0].settings), found[0].seeds
    several = [f"seed {seed}" for seed in seeds] if len(seeds) > 1 else []
    rows = []
    for one in found:
        settings = [shown(value) for value in one.settings.values()]
        if one.stop is not None:
            each = [f"({percent(one.stop.top1[seed])})" for seed in seeds]
            mean, remark = f"({percent(one.stop.mean)})", f"stopped after {counted(one.stop.epochs, 'epoch')}"
        else:
            each = [percent(one.validation(seed)) or "failed" for seed in seeds]
            mean, remark = percent(one.mean) if one.is_complete else "failed", "chosen" if one is choice else ""
        tested = [_mean(one.tests()) if one.is_complete else ""] if test else []
        rows.append([*settings, mean, *(each if several else []), *tested, remark])
    headings = [*names, "validation %", *several, *(["test % (not for choosing)"] if test else []), ""]
    return Fitting(headings, rows, several, names=len(names))


def csv_of(found: Sequence[Scored], choice: Scored | None, test: bool) -> bytes:
    """Return the table as a file: a line for each cell and seed; the test images for the chosen cell, or for all.

    If cells were stopped, two columns say after how many epochs, and with which validation top-1 there.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    stopped = ["stopped_after", "stopped_top1"] if any(one.stop for one in found) else []
    writer.writerow([*found[0].settings, "seed", "validation_top1", "chosen", "test_top1", *stopped, "run"])
    for one in found:
        settings = [shown(value) for value in one.settings.values()]
        is_tested = one.stop is None and (test or one is choice)
        tests = dict(zip(one.runs, one.tests(), strict=True)) if is_tested else {}
        for seed in one.seeds:
            folder = one.runs[seed].folder.name if seed in one.runs else ""
            numbers: list[object] = [one.validation(seed), "yes" if one is choice else "", tests.get(seed)]
            numbers += [one.stop.epochs, one.stop.top1[seed]] if one.stop else [None for _ in stopped]
            writer.writerow([*settings, seed, *("" if value is None else value for value in numbers), folder])
    return text.getvalue().encode()


def _mean(numbers: Sequence[float]) -> str:
    return percent(sum(numbers) / len(numbers))

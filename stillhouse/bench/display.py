"""Display of a bench: its plan, the progress of each student, and the results."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from ..analysis.tables import Fitting, percent
from ..report.compare import compare
from ..report.markdown import escaped
from ..report.model_card import compare as put_into_card
from ..report.records import read_records
from ..report.tables import FOOT, grid_of, md_table, printed
from ..spelling import counted, shortened
from ..training.doctor.findings import told_of
from ..training.progress import Display, duration
from ..training.run_files import Row
from ..training.run_folder import Run
from .plan import pairs_in_words

if TYPE_CHECKING:
    from ..training.classroom import Classroom
    from ..training.student import StudentTrainer
    from .plan import Cell


class BenchDisplay(Display):
    """A table of methods and seeds that fills up; without a terminal, a line for every epoch of a room.

    Args:
        plain: Display to print to.
    """

    def __init__(self, plain: Display):
        super().__init__(quiet=plain.console.quiet)
        self.plain, self.console = plain, plain.console
        self._said: set[str] = set()
        self._warned: set[tuple[str, str]] = set()  # pairs and methods
        self._runs: Mapping[Cell, Run] = {}
        self._cells: Mapping[StudentTrainer, Cell] = {}
        self._latest: dict[Cell, Row] = {}
        self._to_go, self._began = 0.0, time.perf_counter()

    def say(self, text: str, style: str = "") -> None:
        """Print a line unless it was printed before: many students say the same."""
        if text not in self._said:
            self._said.add(text)
            super().say(text, style)

    def plan(self, runs: Mapping[Cell, Run], waiting: int, seconds: float, part: float = 1.0) -> None:
        """Print what will be trained.

        Args:
            waiting: Number of students to train.
            seconds: Estimated duration.
            part: Of their epochs.
        """
        self._runs, self._to_go, self._began = runs, seconds, time.perf_counter()
        done = sum(run.is_done for run in runs.values())
        how_far = f" for {100 * part:.0f} % of the epochs" if part < 1 else ""
        todo = f"{waiting:,} to train{how_far}, about {duration(seconds)}" if waiting else "nothing to train"
        self.say(f"{self.describe(runs)}: {counted(len(runs), 'student')}, {done:,} trained before, {todo}")

    def describe(self, cells: Iterable[Cell]) -> str:
        """Return in words what is compared."""
        pairs, labels, seeds = ({*column} for column in zip(*((c.pair, c.label, c.seed) for c in cells), strict=True))
        numbers = {"pair": pairs, "method": labels, "seed": seeds}
        return f"bench: {' x '.join(counted(len(found), noun) for noun, found in numbers.items())}"

    def begin(self, cells: Mapping[StudentTrainer, Cell]) -> None:
        """Set the students that are trained next."""
        self._cells = cells

    def row(self, trainer: StudentTrainer, row: Row) -> None:
        """Record an epoch of a student; print a line when all students of its room have finished it."""
        self._latest[self._cells[trainer]] = row
        with_this_epoch = [cell for one, cell in self._cells.items() if one.until >= row["epoch"]]
        found = {cell: latest for cell in with_this_epoch if (latest := self._latest.get(cell)) is not None}
        all_have = len(found) == len(with_this_epoch) and {latest["epoch"] for latest in found.values()} == {
            row["epoch"]
        }
        if self._live is not None or not all_have:
            return
        first, epochs = with_this_epoch[0], max(one.epochs for one in self._cells)
        shown = self.epoch_of({cell: latest["top1"] for cell, latest in found.items()})
        pairs = pairs_in_words(with_this_epoch)
        self.say(f"{pairs}, seed {first.seed}, epoch {row['epoch']}/{epochs}: {shown}  {row['seconds']} s")

    def gradients(self, trainer: StudentTrainer) -> None:
        """Show a warning about a student's loss terms, once for all seeds."""
        cell, told = self._cells[trainer], told_of(trainer)
        if told and told[1] and (cell.pair, cell.label) not in self._warned:
            self._warned.add((cell.pair, cell.label))
            self.note(told[0])

    def _say_headings(self) -> None:
        """Print none: lines of a bench have no columns."""

    def epoch_of(self, top1: Mapping[Cell, float]) -> str:
        """Return in words how good the students of a room are on the held-out images after an epoch."""
        return "  ".join(f"{cell.label} {percent(value)}" for cell, value in top1.items())

    def step(self, room: Classroom, done: int) -> None:
        """Show the number of finished steps in this epoch."""
        if self._live is None:
            return
        rate, left = self._pace.rate(done), duration(self._pace.left(done, max(one.until for one in self._cells)))
        cell = next(iter(self._cells.values()))
        words = f", seed {cell.seed}: epoch {self._pace.epoch + 1}/{room.epochs}, step {done}/{self._pace.steps}"
        words += f", {rate:.1f} step/s, {left} left of this room"
        pair = shortened(pairs_in_words(self._cells.values()), max(8, self.console.width - len(words)))
        self._live.update(Group(self._table(), Text(pair + words, no_wrap=True)), refresh=True)

    def results(self, failures: Mapping[Cell, str]) -> None:
        """Print the results as `stillhouse report` would, then the failures."""
        done = [run.folder for run in self._runs.values() if run.is_done]
        if done:
            found = read_records(done)
            for why in found.damaged.values():
                super().note(f"left out: {why}")
            groups = compare(found.records)
            grids = [grid_of(group) for group in groups]
            self.console.print(printed(grids))
            super().say(FOOT)
            for group, grid in zip(groups, grids, strict=True):
                if len(group.entries) > 1:
                    for run in group.runs:
                        put_into_card(run.folder, f"{md_table(grid, grid.headings)}\n\n{escaped(grid.title)}; {FOOT}.")
        for cell, why in failures.items():
            super().say(f"failed: {cell}: {why}")

    def _table(self) -> Fitting:
        """Return top-1 by pair, if there are several, method and seed, as far as known."""
        seeds = sorted({cell.seed for cell in self._runs})
        by_method: dict[tuple[str, str], dict[int, str]] = {}
        for cell, run in self._runs.items():
            by_method.setdefault((cell.pair, cell.label), {})[cell.seed] = self._state(cell, run)
        names = ["pair", "method"] if len({pair for pair, _ in by_method}) > 1 else ["method"]
        rows = [
            [*[pair, label][-len(names) :], *(found.get(seed, "") for seed in seeds)]
            for (pair, label), found in by_method.items()
        ]
        shown = [f"seed {seed}" for seed in seeds]
        return Fitting([*names, *shown], rows, shown[1:], names=len(names))

    def _state(self, cell: Cell, run: Run) -> str:
        if run.is_done:
            return percent(self.score(run))
        latest = self._latest.get(cell)
        return f"({percent(latest['top1'])} after {latest['epoch']})" if latest else "-"

    def score(self, run: Run) -> float:
        """Return the number of a finished run that is compared, in percent."""
        return float(str(run.result["top1"]))

"""Grids that `stillhouse grid` left among runs: the cells, and the heat map."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..spelling import counted
from .groups import Group
from .records import DEPTH, RunRecord

_COLUMNS = ("seed", "validation_top1", "chosen", "test_top1", "run")  # after those of the settings
_MOST = 10_000_000  # bytes of a table
_CLOSE = 1e-6  # percent


@dataclass(frozen=True)
class GridRecord:
    """A finished grid.

    Args:
        folder: Its folder.
        settings: Names of the settings that it varies.
        rows: Their values, seed, validation top-1 in percent, "yes" for the chosen cell, test top-1 and run, in text.
    """

    folder: Path
    settings: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def runs(self) -> set[str]:
        """The names of its runs' folders."""
        return {row[-1] for row in self.rows if row[-1]}

    @property
    def heat_map(self) -> Path | None:
        """The picture, if it has one."""
        path = self.folder / "heat_map.svg"
        return path if path.is_file() else None


def read_grids(paths: Iterable[str | Path], records: Sequence[RunRecord]) -> list[GridRecord]:
    """Read the grids below some folders.

    Args:
        records: Runs, whose numbers those of the grids are compared with.

    Raises:
        ValueError: If one is damaged.
    """
    given = [Path(path).expanduser() for path in paths]
    tables = {
        file.resolve(): file
        for path in given
        for deep in range(DEPTH + 1)
        for file in sorted(path.glob(f"{'*/' * deep}grid-*/cells.csv"))
    }
    tables |= {file.resolve(): file for path in given if (file := path / "cells.csv").exists()}
    by_name = {record.folder.name: record for record in records}
    return [_read(file, by_name) for file in tables.values()]


def noted(groups: Sequence[Group], grids: Sequence[GridRecord]) -> list[Group]:
    """Return groups with a note for each grid that some of their runs are cells of."""
    found = []
    for group in groups:
        names = {run.folder.name for run in group.runs}
        notes = [
            f"of the grid {grid.folder.name}, which chooses by validation images: {counted(len(cells), 'run')}; "
            f"a choice by the numbers here, which are of test images, would look better than it is"
            for grid in grids
            if (cells := names & grid.runs)
        ]
        found.append(replace(group, notes=[*group.notes, *notes]))
    return found


def _read(path: Path, by_name: dict[str, RunRecord]) -> GridRecord:
    if not path.is_file() or path.stat().st_size > _MOST:
        raise _damaged(path, "it is not a table")
    try:
        heading, *rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""), strict=True))
    except (ValueError, csv.Error) as error:
        raise _damaged(path, str(error)) from error
    if tuple(heading[-len(_COLUMNS) :]) != _COLUMNS or not rows or any(len(row) != len(heading) for row in rows):
        raise _damaged(path, "it has other columns")
    for row in rows:
        _check(path, row, by_name)
    return GridRecord(path.parent, heading[: -len(_COLUMNS)], rows)


def _check(path: Path, row: Sequence[str], by_name: dict[str, RunRecord]) -> None:
    """Refuse numbers that are none, and those that its run denies."""
    seed, validation, chosen, test, run = row[-len(_COLUMNS) :]
    record = by_name.get(run)
    try:
        numbers = [float(text) if text else None for text in (validation, test)]
        is_whole = seed.isdigit() and all(one is None or math.isfinite(one) for one in numbers)
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if not is_whole or chosen not in ("", "yes"):
        raise _damaged(path, f"seed {seed[:20]!r}, chosen {chosen[:20]!r}")
    right = (float(record.rows[-1]["top1"]), record.top1) if record is not None else ()
    if any(one is not None and abs(one - other) > _CLOSE for one, other in zip(numbers, right, strict=False)):
        raise _damaged(path, f"{run} has other numbers")


def _damaged(path: Path, why: str) -> ValueError:
    return ValueError(f"{path} is damaged ({why}); run the grid's command again to write it, or move it away")

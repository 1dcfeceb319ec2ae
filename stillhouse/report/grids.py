"""Grids that `stillhouse grid` and `stillhouse pick` left among runs: the cells, and the picture."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..spelling import counted
from .groups import Group
from .records import DEPTH, RunRecord

_COLUMNS = ("seed", "validation_top1", "chosen", "test_top1", "run")  # after those of the settings
_STOPPED = ("stopped_after", "stopped_top1")  # of a search that stops cells early: epochs, and validation top-1 then
_MOST = 10_000_000  # bytes of a table
_CLOSE = 1e-6  # percent
_FOLDERS = ("grid-*", "pick-*")


@dataclass(frozen=True)
class Picture:
    """A picture of a grid.

    Args:
        path: Its file.
        kind: What it is.
        caption: A sentence below it.
    """

    path: Path
    kind: str
    caption: str


_PICTURES = {
    "heat_map.svg": ("Heat map", "Top-1 on the validation images by two settings; framed: chosen."),
    "pareto.svg": (
        "Accuracy against latency",
        "A panel for each number of epochs at which candidates were compared; ring: chosen.",
    ),
}


@dataclass(frozen=True)
class GridRecord:
    """A finished grid.

    Args:
        folder: Its folder.
        settings: Names of the settings that it varies.
        rows: For each cell and seed their values, and seed, validation top-1 in percent, "yes" for the chosen cell,
            test top-1, run, and what is known of stopped cells, by column and in text.
    """

    folder: Path
    settings: Sequence[str]
    rows: Sequence[Mapping[str, str]]

    @property
    def runs(self) -> set[str]:
        """The names of its runs' folders."""
        return {row["run"] for row in self.rows if row["run"]}

    @property
    def picture(self) -> Picture | None:
        """The picture, if it has one."""
        found = (Picture(self.folder / name, *about) for name, about in _PICTURES.items())
        return next((one for one in found if one.path.is_file()), None)


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
        for folder in _FOLDERS
        for file in sorted(path.glob(f"{'*/' * deep}{folder}/cells.csv"))
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


def _read(path: Path, by_name: Mapping[str, RunRecord]) -> GridRecord:
    if not path.is_file() or path.stat().st_size > _MOST:
        raise _damaged(path, "it is not a table")
    try:
        heading, *rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""), strict=True))
    except (ValueError, csv.Error) as error:
        raise _damaged(path, str(error)) from error
    settings = heading[: heading.index("seed")] if "seed" in heading else []
    others = [name for name in heading[len(settings) :] if name not in _STOPPED]
    if tuple(others) != _COLUMNS or len({*heading}) < len(heading) or not rows:
        raise _damaged(path, "it has other columns")
    if any(len(row) != len(heading) for row in rows):
        raise _damaged(path, "its lines have different lengths")
    cells = [dict(zip(heading, row, strict=True)) for row in rows]
    for cell in cells:
        _check(path, cell, by_name)
    return GridRecord(path.parent, settings, cells)


def _check(path: Path, cell: Mapping[str, str], by_name: Mapping[str, RunRecord]) -> None:
    """Refuse numbers that are none, and those that its run denies."""
    try:
        numbers = {name: float(cell[name]) for name in (*_COLUMNS[1::2], *_STOPPED) if cell.get(name)}
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if not cell["seed"].isdigit() or cell["chosen"] not in ("", "yes") or not all(map(math.isfinite, numbers.values())):
        raise _damaged(path, f"a line is {', '.join(cell.values())[:80]}")
    record = by_name.get(cell["run"])
    right = {"validation_top1": record.rows[-1]["top1"], "test_top1": record.top1} if record is not None else {}
    if any(name in numbers and abs(numbers[name] - one) > _CLOSE for name, one in right.items()):
        raise _damaged(path, f"{cell['run']} has other numbers")


def _damaged(path: Path, why: str) -> ValueError:
    return ValueError(f"{path} is damaged ({why}); run the grid's command again to write it, or move it away")

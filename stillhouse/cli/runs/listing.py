"""Runs in a folder, finished or not, as a table shows them."""

from __future__ import annotations

import fcntl
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...analysis.tables import Fitting, percent
from ...bench.claims import is_claimed
from ...spelling import shortened
from ...training.run_files import read_config, read_result, read_rows

_OTHER_COLUMNS = 46  # letters, beside the name


@dataclass(frozen=True)
class Listed:
    """A run as its files show it, without reading its weights.

    Args:
        folder: Its folder.
        config: The content of its config.yaml; empty if that is damaged.
        epochs: Epochs that are done; None if its metrics are damaged.
        top1: Top-1 after the last epoch so far.
        is_done: True if it is finished.
        is_in_use: True if a process trains it.
        size: Bytes of its files.
        changed: Seconds since a file changed.
        problem: A clause about damaged files; empty if there are none.
    """

    folder: Path
    config: Mapping[str, Any]
    epochs: int | None
    top1: float | None
    is_done: bool
    is_in_use: bool
    size: int
    changed: float
    problem: str = ""

    @property
    def can_be_resumed(self) -> bool:
        return not (self.is_done or self.is_in_use or self.problem)

    @property
    def state(self) -> str:
        """Tell how far it is."""
        of = self.config.get("epochs")
        far = f"{self.epochs}/{of}" if isinstance(of, int) and self.epochs is not None else f"{self.epochs or 0}"
        if self.problem:
            return "damaged"
        return f"{of or self.epochs} done" if self.is_done else f"{far}{' now' if self.is_in_use else ''}"


def listed(folder: Path) -> list[Listed]:
    """Return the runs in a folder, those that changed last at the end."""
    found = [run for path in folder.iterdir() if path.is_dir() and (run := listed_run(path)) is not None]
    return sorted(found, key=lambda run: -run.changed)


def listed_run(folder: Path) -> Listed | None:
    """Return the run in a folder; None if it holds none."""
    if not any((folder / name).is_file() for name in ("config.yaml", "state.pt", "result.json")):
        return None
    config, rows, problem = dict[str, Any](), None, ""
    is_done, top1 = (folder / "result.json").exists(), None
    try:
        config = read_config(folder / "config.yaml") if (folder / "config.yaml").exists() else {}
        rows = read_rows(folder)
        top1 = float(str(read_result(folder)["top1"])) if is_done else rows[-1]["top1"] if rows else None
    except (OSError, ValueError) as error:
        problem = str(error)
    files = [path.stat() for path in folder.rglob("*") if path.is_file()]
    changed = time.time() - max((one.st_mtime for one in files), default=0.0)
    size, epochs = sum(one.st_size for one in files), None if rows is None else len(rows)
    return Listed(folder, config, epochs, top1, is_done, _is_in_use(folder), size, changed, problem)


def table(found: Sequence[Listed], width: int) -> Fitting:
    """Return a table that is as wide as the screen at most: long names lose what others share."""
    columns = ["epochs", "top-1 %", "size", "changed"]
    names = told_apart([run.folder.name for run in found], max(width - _OTHER_COLUMNS, 20))
    rows = [
        [name, run.state, percent(run.top1), megabytes(run.size), _ago(run.changed)]
        for name, run in zip(names, found, strict=True)
    ]
    return Fitting(["run", *columns], rows, columns)


def told_apart(names: Sequence[str], most: int) -> list[str]:
    """Return names of at most so many letters, where a long one keeps its end and the words that few others have.

    Words are what stands between dashes. Those that most names share go first, of equally common ones the later.
    """
    rows = [name.split("-") for name in names]
    count = Counter(word for row in rows for word in set(row))
    return [_without_common(row, count, most) for row in rows]


def _without_common(row: Sequence[str], count: Mapping[str, int], most: int) -> str:
    kept = list(range(len(row)))
    for place in sorted(kept[:-1], key=lambda place: (count[row[place]], place), reverse=True):
        if len(_joined(row, kept)) <= most or count[row[place]] == 1:
            break
        kept.remove(place)
    return shortened(_joined(row, kept), most)


def _joined(row: Sequence[str], kept: Sequence[int]) -> str:
    """Join the words at these places, with dots where some are missing."""
    before, text = -1, ""
    for place in kept:
        text += (".." if place > before + 1 else "-" if text else "") + row[place]
        before = place
    return text


def megabytes(size: float) -> str:
    """Return a number of bytes in words."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds / length)} {unit} ago"
    return f"{max(int(seconds), 0)} s ago"


def _is_in_use(folder: Path) -> bool:
    """Return True if a process holds the lock of a run, or has claimed it."""
    if is_claimed(folder):
        return True
    try:
        lock = os.open(folder / "lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False

"""Read finished runs for comparison: networks, settings and results."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..spelling import nearest_path
from ..training.predictions import Predictions, read_predictions
from ..training.run_files import Row, checksum, read_config, read_result, read_rows

DEPTH = 4  # levels of folders below a given one
_NO_RUNS = ("teacher_cache", "inspection")


@dataclass(frozen=True)
class RunRecord:
    """A finished run.

    Args:
        folder: Its folder.
        config: The content of its config.yaml.
        result: The content of its result.json.
        rows: One row of metrics per epoch.
        predictions: Its top-1 predictions for the test images; None for runs before version 0.2.
    """

    folder: Path
    config: Mapping[str, Any]
    result: Mapping[str, Any]
    rows: Sequence[Row]
    predictions: Predictions | None

    @property
    def is_taught(self) -> bool:
        """True for a student that learned from a teacher, False for a network that learned by itself."""
        return "student" in self.config

    @property
    def seed(self) -> int:
        return int(self.config["seed"])

    @property
    def data(self) -> str:
        return str(self.result.get("data") or _last_part(self.config["data"]))

    @property
    def network(self) -> str:
        """The network as it was given."""
        return str(self.config["student" if self.is_taught else "model"])

    @property
    def student(self) -> str:
        """The network without the folders before a file."""
        return _last_part(self.network)

    @cached_property
    def teacher(self) -> str | None:
        """The name of its teacher's network, if the run says it; None if it had no teacher."""
        if not self.is_taught:
            return None
        if isinstance(about := self.result.get("teacher"), dict):
            return _last_part(about["network"])
        named = re.fullmatch(r".*?-from-(.+)-[^-]+-seed\d+-[0-9a-f]+", self.folder.resolve().name)
        return named[1] if named else _last_part(self.config["teacher"])

    @property
    def teacher_hash(self) -> str | None:
        """The hash of its teacher's weights, if the run has it."""
        about = self.result.get("teacher")
        return str(about["weights_hash"]) if isinstance(about, dict) else None

    @property
    def recipe(self) -> str | None:
        """The published settings that it was trained with, if it was given any."""
        name = self.config.get("recipe")
        return name if isinstance(name, str) else None

    @property
    def methods(self) -> tuple[str, ...]:
        """Its methods with all arguments; a network by itself learns by cross-entropy."""
        return tuple(self.config["methods"]) if self.is_taught else ("CE(weight=1.0)",)

    @property
    def classes(self) -> Sequence[str]:
        return [str(name) for name in self.result.get("classes", ())]

    @property
    def top1(self) -> float:
        """Top-1 in percent on the test images, after the last epoch."""
        return float(self.result["top1"])

    @property
    def best(self) -> float:
        """Top-1 in percent on the held-out images, after the epoch that was best on them."""
        return float(self.result["best_top1"])

    def number(self, name: str) -> float | None:
        """Return a number of its result; None if it does not have it."""
        value = self.result.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


@dataclass(frozen=True)
class Found:
    """The runs below some folders.

    Args:
        records: Finished runs, ordered by the names of their folders.
        unfinished: Folders of unfinished runs.
        unnamed: Folders of runs whose configuration does not say what was trained, such as those of user programs.
        damaged: Folders of runs that cannot be read, and a sentence about each.
    """

    records: Sequence[RunRecord]
    unfinished: Sequence[Path]
    unnamed: Sequence[Path]
    damaged: Mapping[Path, str]

    @property
    def count(self) -> int:
        """The number of all runs, read or not."""
        return sum(map(len, (self.records, self.unfinished, self.unnamed, self.damaged)))


def read_records(paths: Iterable[str | Path]) -> Found:
    """Read runs from their folders, or from folders that contain them.

    Raises:
        ValueError: If there is no such folder, or no finished run that can be read.
    """
    records: list[RunRecord] = []
    unfinished: list[Path] = []
    unnamed: list[Path] = []
    damaged: dict[Path, str] = {}
    given = [Path(path).expanduser() for path in paths]
    for folder in _unique(run for path in given for run in _runs(path)):
        try:
            if not (folder / "result.json").exists():
                unfinished.append(folder)
            elif (record := read_record(folder)) is None:
                unnamed.append(folder)
            else:
                records.append(record)
        except ValueError as error:
            damaged[folder] = str(error)
        except OSError as error:
            damaged[folder] = f"{error.filename or folder} cannot be read ({error.strerror}); check that path"
    if not records:
        raise ValueError(_none(", ".join(map(str, given)), len(unfinished), damaged))
    return Found(sorted(records, key=lambda one: one.folder.name), unfinished, unnamed, damaged)


def _none(where: str, unfinished: int, damaged: Mapping[Path, str]) -> str:
    others = f"; {unfinished} not finished" if unfinished else ""
    if damaged:
        more = f"; and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        others += f"; {len(damaged)} damaged: {next(iter(damaged.values()))}{more}"
    return f"there is no finished run of stillhouse train or distill in {where}{others}"


def read_record(folder: Path) -> RunRecord | None:
    """Read a finished run; return None if its configuration does not say what was trained.

    Raises:
        ValueError: If it is damaged.
    """
    result, rows = read_result(folder), read_rows(folder)
    config = _config(folder / "config.yaml")
    if config is None:
        return None
    if "config_hash" in result and result["config_hash"] != checksum((folder / "config.yaml").read_bytes()):
        raise ValueError(f"{folder / 'config.yaml'} is not what the run wrote; restore it, or move {folder} away")
    if not rows:
        raise ValueError(f"{folder / 'metrics.jsonl'} is missing; restore it, or move {folder} away")
    return RunRecord(folder, config, result, rows, read_predictions(folder))


def _config(path: Path) -> dict[str, Any] | None:
    content = read_config(path) if path.exists() else {}
    if not content.keys() & {"student", "model"}:
        return None
    wanted: dict[str, type] = {"seed": int, "data": str, "epochs": int}
    wanted |= {"student": str, "teacher": str, "methods": list} if "student" in content else {"model": str}
    for name, kind in wanted.items():
        if not isinstance(content.get(name), kind):
            raise ValueError(f"{path} is damaged ({name} is {content.get(name)!r}); restore it, or move it away")
    return content


def _runs(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        raise ValueError(
            f"there is no folder {path}{nearest_path(str(path))}; give folders of runs, or a folder that contains some"
        )
    if _is_run(path):
        yield path
        return
    for parent, folders, _ in os.walk(path):
        here = Path(parent)
        runs = [here / name for name in sorted(folders) if _is_run(here / name)]
        yield from runs
        deep = len(here.relative_to(path).parts) >= DEPTH - 1
        left = set(folders) - {run.name for run in runs} - set(_NO_RUNS)
        folders[:] = [] if deep else sorted(name for name in left if not name.startswith("."))


def _is_run(folder: Path) -> bool:
    return (folder / "result.json").exists() or (folder / "config.yaml").exists() or (folder / "state.pt").exists()


def _unique(folders: Iterable[Path]) -> Iterator[Path]:
    return iter({folder.resolve(): folder for folder in folders}.values())


def _last_part(name: object) -> str:
    """Return a name without the folders before it."""
    return str(name).rstrip("/").rpartition("/")[2]

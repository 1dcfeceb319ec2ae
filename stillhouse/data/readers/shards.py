"""Files of a data set that is spread over several: by split and by configuration, as their names and folders say."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..folders.inventory import some
from ..folders.tree import look_at
from ..splits import SPLITS, SplitName, split_of, split_within

# train-00000-of-00002, train-00000-of-00002-5a1b8f0e3d2c4b6a, train_0, train-0, imagenet-train-000123
_SHARD = re.compile(r"(?:[-_.]\d+(?:[-_]of[-_]\d+)?)+(?:-[0-9a-f]{16})?$")
_DEPTH = 4  # folders below the root that are looked into


@dataclass(frozen=True)
class Shards:
    """The files of one data set, by split."""

    config: str  # a part of the path, empty where there is only one
    by_split: dict[SplitName, list[Path]]
    others: list[Path]  # whose names tell no split

    @property
    def files(self) -> list[Path]:
        """All files that belong to a split."""
        return [file for files in self.by_split.values() for file in files]


def check_file(path: Path, most: int | None = None) -> None:
    """Refuse what cannot be read to its end: a pipe, a log of the system, which has no size, or more than `most` bytes.

    Raises:
        ValueError: The sentence says what it is instead.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not a regular file: give a file that holds the data set, or its folder")
    size = path.stat().st_size
    if size == 0:
        raise ValueError(f"{path} is empty: get it again")
    if most is not None and size > most:
        raise ValueError(f"{path} has {size:,} bytes, more than a table of images ever has: get it again")


def files_below(root: Path, *suffixes: str) -> list[Path]:
    """Return the files with one of these suffixes in a folder and below, hidden folders left out, sorted by path."""
    found: list[Path] = []
    waiting = [(str(root), 0)]
    while waiting:
        folder, depth = waiting.pop()
        for entry in look_at(folder):  # of class folders as well, with a million images
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False) and depth < _DEPTH:
                waiting.append((entry.path, depth + 1))
            elif os.path.splitext(entry.name)[1] in suffixes and os.path.isfile(entry.path):
                found.append(Path(entry.path))
    return sorted(found)


def data_sets(root: Path, files: Sequence[Path]) -> list[Shards]:
    """Sort files into data sets and splits.

    Known are train-00000-of-00002.parquet, train_0.parquet, NAME-train.parquet, train/0000.parquet, and any of these
    in a folder of a configuration or in `data`.
    """
    found: dict[str, Shards] = {}
    for file in files:
        config, split = _place(file.relative_to(root))
        shards = found.setdefault(config, Shards(config, {}, []))
        (shards.others if split is None else shards.by_split.setdefault(split, [])).append(file)
    return [replace(found[config], by_split=_in_order(found[config].by_split)) for config in sorted(found)]


def _in_order(by_split: dict[SplitName, list[Path]]) -> dict[SplitName, list[Path]]:
    return {split: by_split[split] for split in SPLITS if split in by_split}


def _place(path: Path) -> tuple[str, SplitName | None]:
    """Return the configuration and the split of a file."""
    stem = _SHARD.sub("", path.name.removesuffix(path.suffix))
    folders = [name for name in path.parts[:-1] if name.lower() != "data"]
    if split := split_of(stem):
        return "/".join(folders), split
    if within := split_within(stem):
        return "/".join([*folders, within[0]]), within[1]
    for at in reversed(range(len(folders))):
        if inner := split_of(folders[at]):
            return "/".join(folders[:at] + folders[at + 1 :]), inner
    return "/".join(folders), None


def only_one(root: Path, kind: str, found: Sequence[Shards]) -> Shards | None:
    """Return the data set whose files tell splits; None if there is none.

    Raises:
        ValueError: If there are several; the sentence names them.
    """
    whole = [shards for shards in found if shards.by_split]
    trained = [shards for shards in whole if "train" in shards.by_split]
    if len(whole) > 1 and len(trained) == 1:
        whole = trained
    if len(whole) > 1:
        names = [shards.config or "." for shards in whole]
        example = next((f", such as --data {root / name}" for name in names if (root / name).is_dir()), " of its own")
        raise ValueError(
            f"{root} holds {kind} of {len(whole)} data sets ({some(names)}): pass the folder of one{example}"
        )
    return whole[0] if whole else None

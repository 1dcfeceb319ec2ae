"""Options of `stillhouse inspect DATA`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..groups.data import DataOptions, SplitOptions
from ..groups.run import OutputOptions
from .inspect import PictureOptions


@dataclass(frozen=True)
class InspectData:
    """Write a sheet of a data set's images, and the sizes of its classes, into FOLDER/DATA-inspection."""

    data: DataOptions
    split: SplitOptions
    pictures: PictureOptions
    output: OutputOptions


_OF_A_RUN = ("config.yaml", "metrics.jsonl", "result.json", "state.pt")


def names_data(arguments: Sequence[str]) -> bool:
    """Tell whether the words of `stillhouse inspect` are about a data set, not about a run.

    They are if the first word is a data set's, a function's, or a file's or folder's that no run wrote.
    """
    if not arguments or arguments[0].startswith("-"):
        return False
    from ...data import DATASETS
    from ...data.own import is_own

    word = arguments[0]  # others may be values of options
    path = Path(word).expanduser()
    if word in DATASETS or is_own(word):
        return True
    holds = path.is_file() or (path.is_dir() and any(path.iterdir()))
    return holds and not any((path / name).exists() for name in _OF_A_RUN)

"""Forms of tables that a folder or a file can be: parquet, arrow, webdataset tars, or lists of images and classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..folders.inventory import some
from ..folders.layout import recognise
from ..folders.tree import Tree
from ..options import LoadOptions
from ..splits import SplitName
from . import arrow, listing, parquet, tar
from .shards import Shards, data_sets, files_below, only_one
from .table import Table

_ARCHIVES = {
    ".zip": "unzip {}",
    ".tar.gz": "tar -xf {}",
    ".tgz": "tar -xf {}",
    ".tar.bz2": "tar -xf {}",
    ".tar.xz": "tar -xf {}",
    ".7z": "7z x {}",
    ".rar": "unrar x {}",
    ".gz": "gunzip {}",
}
_KINDS = {".parquet": "parquet files", ".arrow": "arrow files", ".tar": "tar archives"}


@dataclass(frozen=True)
class Found:
    """A data set in tables, not read yet."""

    files: tuple[Path, ...]  # that hold it
    read: Callable[[], Table]
    holds_images: bool = True  # in these files; otherwise they name other files


def in_folder(folder: Path, options: LoadOptions, store: Path) -> tuple[Found | None, list[str]]:
    """Look for files of images whose names tell splits, then for lists of images and classes.

    Args:
        store: Folder for what has to be unpacked.

    Returns:
        The data set, None if there is none; and notes about lists that are passed over, because class folders with
        splits lie beside them.

    Raises:
        ValueError: If there are several data sets.
    """
    for suffix, kind in _KINDS.items():
        chosen = only_one(folder, kind, [found for found in _sets(folder, suffix) if _is_of_images(found)])
        if chosen is not None:
            return _found(folder, suffix, chosen.by_split, options, store), []
    listings = listing.find(folder, options)
    if not listings.by_split:
        return None, []
    if _has_split_folders(folder):
        names = some([str(path.relative_to(folder)) for path in listings.files])
        return None, [f"the classes are those of the folders, not those of {names}; to read a table pass it itself"]
    return Found(tuple(listings.files), lambda: listing.read(folder, listings, options), holds_images=False), []


def without_splits(folder: Path, options: LoadOptions, store: Path) -> Found | None:
    """Look for files of images whose names tell no splits: they are all for training, or all to be measured."""
    for suffix in _KINDS:
        found = _sets(folder, suffix)
        is_one = len(found) == 1 and not found[0].by_split
        if is_one and (suffix != ".parquet" or parquet.holds_images(found[0].others[0])):
            return _found(folder, suffix, {"train": found[0].others}, options, store)
    return None


def in_file(path: Path, options: LoadOptions, store: Path) -> Found:
    """Return the data set in a file that was named itself.

    Raises:
        ValueError: If it is of a kind that is not read; the sentence says what to do.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet" and not parquet.holds_images(path):
        return Found((path,), lambda: listing.read_one(path, options), holds_images=False)
    if suffix in _KINDS:
        return _found(path, suffix, {"train": [path]}, options, store)
    if suffix in listing.TEXT:
        return Found((path,), lambda: listing.read_one(path, options), holds_images=False)
    unpack = next((words for ending, words in _ARCHIVES.items() if path.name.lower().endswith(ending)), None)
    if unpack:
        raise ValueError(f"{path} is an archive: unpack it ({unpack.format(path)}) and pass the folder")
    raise ValueError(
        f"{path} is a file, and the only files read are {', '.join((*_KINDS, *listing.TEXT))}: pass the folder that "
        "holds the data set"
    )


def _sets(folder: Path, suffix: str) -> Sequence[Shards]:
    ignored = ("cache-", "indices-")  # of the datasets library, beside its data
    return data_sets(folder, [path for path in files_below(folder, suffix) if not path.name.startswith(ignored)])


def _is_of_images(found: Shards) -> bool:
    first = next(iter(found.files), None)
    return first is not None and (first.suffix != ".parquet" or parquet.holds_images(first))


def _found(place: Path, suffix: str, by_split: dict[SplitName, list[Path]], options: LoadOptions, store: Path) -> Found:
    """Return what is read from files of one kind in a folder, or from the one file that was named."""
    files = tuple(file for files in by_split.values() for file in files)

    def read() -> Table:
        table = Table(place if place.is_dir() else place.parent, _KINDS[suffix], str(place))
        if suffix == ".parquet":
            return parquet.read(table, by_split, options, store)
        return arrow.read(table, by_split, options) if suffix == ".arrow" else tar.read(table, by_split, options)

    return Found(files, read)


def _has_split_folders(folder: Path) -> bool:
    try:
        layout = recognise(Tree(), str(folder))
        return layout.has_splits and any(part.folders for part in layout.parts.values())
    except ValueError:
        return False

"""Images in folders with a table beside them that says which class each belongs to: labels.csv, metadata.jsonl, ..."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...spelling import counted
from ..folders.inventory import some
from ..folders.tree import SUFFIXES, look_at
from ..options import LoadOptions
from ..splits import SplitName, split_of, split_within
from .labels import Label, plain
from .table import Rows, Table
from .text import Lines, read_lines, roles_of

TEXT = (".csv", ".tsv", ".jsonl", ".ndjson")
METADATA = "metadata.parquet"
_TRIED = 20  # rows, to see where the images are
_HIDDEN_TABLES = ("submission", "sample_sub")  # what is to be filled in with predictions holds no labels


@dataclass
class Listings:
    """The tables of a folder that name images and their classes."""

    by_split: dict[SplitName | None, list[Path]] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)  # why other tables are not read

    @property
    def files(self) -> list[Path]:
        return [file for files in self.by_split.values() for file in files]


def find(root: Path, options: LoadOptions) -> Listings:
    """Look for tables in a folder and right below it."""
    found = Listings()
    places = [root, *sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))[:50]]
    for place in places:
        for name in sorted(entry.name for entry in look_at(str(place))):
            path = place / name
            if not (os.path.splitext(name)[1].lower() in TEXT or name == METADATA) or not path.is_file():
                continue
            if any(word in path.name.lower() for word in _HIDDEN_TABLES):
                continue
            try:
                lines = _lines(path, options)
                images = lines.column(roles_of(lines, options.image_column, options.label_column).image)
                place_of(images[:_TRIED], path, root)
            except ValueError as error:
                found.unused.append(str(error))
                continue
            within = split_within(path.stem)
            split = split_of(path.stem) or (within[1] if within else None) or split_of(path.parent.name)
            found.by_split.setdefault(split if path.parent != root or within or split else None, []).append(path)
    return found


def refused(root: Path, why: ValueError, options: LoadOptions) -> ValueError:
    """Return an error for a folder that is read in no way, with what is wrong with the tables in it."""
    unused = find(root, options).unused
    return ValueError(f"{why}; {unused[0]}") if unused else why


def read(root: Path, listings: Listings, options: LoadOptions) -> Table:
    """Read the tables that were found.

    Raises:
        ValueError: If several tables are there for one split, or their labels cannot be meant.
    """
    by_split = dict(listings.by_split)
    unsplit = by_split.pop(None, [])
    if len(unsplit) > 1 or (unsplit and by_split):
        names = some([str(path.relative_to(root)) for path in listings.files])
        raise ValueError(f"{root} holds several tables of images ({names}): pass one, such as --data {unsplit[0]}")
    table = Table(root, "tables", str(root))
    for path in unsplit:
        _add(table, path, None, options)
    for split, paths in by_split.items():
        for path in paths:
            _add(table, path, split, options)
    names = some([str(path.relative_to(root)) for path in listings.files])
    table.notes += _unlisted(table, f"{names} does not name" if len(listings.files) == 1 else "no table names")
    table.notes += _other_folders(table, names)
    return table


def read_one(path: Path, options: LoadOptions) -> Table:
    """Read a table that was named itself."""
    table = Table(path.parent, "rows", str(path))
    _add(table, path, None, options)
    table.notes += _unlisted(table, f"{path.name} does not name")
    return table


def _lines(path: Path, options: LoadOptions) -> Lines:
    if path.suffix != ".parquet":
        return read_lines(path, [name for name in (options.image_column, options.label_column) if name])
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        content = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is damaged or not a parquet file ({error}): download it again") from error
    columns = [content.column(name).to_pylist() for name in content.column_names]
    return Lines(path, tuple(content.column_names), list(zip(*columns, strict=True)))


def _add(table: Table, path: Path, split: SplitName | None, options: LoadOptions) -> None:
    """Add the rows of one table; without a split of its own a column may tell it, else all are for training."""
    lines = _lines(path, options)
    roles = roles_of(lines, options.image_column, options.label_column)
    if roles.others:
        others = some(roles.others)
        table.notes.append(f"labels are those of the column {roles.label}; also there: {others} (--label_column)")
    names = lines.column(roles.image)
    where = f"the column {roles.label} of {path}"
    base, suffix = place_of(names[:_TRIED], path, table.root)
    labels = _numbers([plain(value, (), where) for value in lines.column(roles.label)])
    splits = lines.column(roles.split) if roles.split and split is None else [split or "train"] * len(names)
    for name, label, word in zip(names, labels, splits, strict=True):
        known = split_of(str(word))
        if known is None:
            raise ValueError(f"{path}: the column {roles.split} holds {word!r}; it must hold train, val or test")
        if not isinstance(name, str) or not name:
            raise ValueError(f"{path}: the column {roles.image} holds {name!r}; it must hold the paths of images")
        table.splits.setdefault(known, Rows()).add(base / _posix(name, suffix), label)
    paths = [base / _posix(name, suffix) for name in names if isinstance(name, str)]
    if doubled := len(paths) - len(set(paths)):
        table.notes.append(f"{doubled:,} of {len(paths):,} rows of {path.name} repeat an image: it counts each time")


def _unlisted(table: Table, whose: str) -> list[str]:
    """Return a note about images that lie beside those of a table and are not in it.

    Args:
        whose: Words for the tables that do not name them.
    """
    known = {os.path.normpath(image) for image in _images(table)}
    others = [
        name
        for folder in sorted({os.path.dirname(image) for image in known})
        if os.path.isdir(folder)
        for name in os.listdir(folder)
        if os.path.splitext(name)[1].lower() in SUFFIXES and os.path.join(folder, name) not in known
    ]
    return [f"left out {counted(len(others), 'image')} that {whose}: {some(sorted(others))}"] if others else []


def _other_folders(table: Table, names: str) -> list[str]:
    """Return a note where images lie in folders that could be classes, and the tables say something else."""
    labels = [label for rows in table.splits.values() for label in rows.labels]
    told = [(image.parent.name, str(label)) for image, label in zip(_images(table), labels, strict=True)]
    told = [(folder, label) for folder, label in told if split_of(folder) is None]
    folders = sorted({folder for folder, _ in told})
    if len(folders) < 2 or all(folder == label for folder, label in told):
        return []
    return [f"the classes are those of {names}, not those of the folders {some(folders)}"]


def _images(table: Table) -> list[Path]:
    return [image for rows in table.splits.values() for image in rows.images if isinstance(image, Path)]


def _numbers(labels: list[Label]) -> list[Label]:
    """Return labels of text as numbers, if all are numbers without leading zeros."""
    if not all(_is_number(label) for label in set(labels) if isinstance(label, str)):
        return labels
    return [None if label == "-1" else int(label) if isinstance(label, str) else label for label in labels]


def _is_number(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdecimal() and str(int(text[:18])) == text


def place_of(names: Sequence[object], table: Path, root: Path) -> tuple[Path, str]:
    """Return the folder that paths begin in, and the suffix that they leave out.

    Raises:
        ValueError: If no image is found anywhere.
    """
    texts = [name for name in names if isinstance(name, str) and name]
    if any(name.startswith(("http://", "https://", "s3://", "gs://")) for name in texts):
        raise ValueError(f"{table} holds web addresses: download the images, and give their paths")
    folders = [table.parent, root]
    folders += [path for place in (table.parent, root) for path in sorted(place.iterdir()) if path.is_dir()][:50]
    split = split_of(table.stem) or (split_within(table.stem) or (None, None))[1]
    folders.sort(key=lambda folder: split is not None and split_of(folder.name) not in (None, split))
    has_suffix = any(os.path.splitext(name)[1].lower() in SUFFIXES for name in texts)
    suffixes = [""] if has_suffix else ["", ".jpg", ".png", ".jpeg", *sorted(SUFFIXES)]
    places = [(folder, suffix) for folder in dict.fromkeys(folders) for suffix in suffixes]
    found = [sum((folder / _posix(name, suffix)).is_file() for name in texts) for folder, suffix in places]
    if max(found) == 0:
        example = f"{texts[0]!r}" if texts else "no path"
        raise ValueError(
            f"{table} names images that are not there, such as {example}: paths are relative to {table.parent}"
        )
    return places[found.index(max(found))]


def _posix(name: str, suffix: str) -> str:
    return name.replace("\\", "/") + suffix

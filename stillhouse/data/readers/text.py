"""Tables of text with a line for each image: CSV, TSV and JSON lines, with a header or without."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..folders.tree import SUFFIXES
from .columns import LABELS, PATHS, SPLITS, asked_for, named
from .shards import check_file

_DELIMITERS = (",", "\t", ";", "|")
_LARGEST, _MOST_COLUMNS = 1 << 31, 1_000  # bytes of a table
_EXAMPLE = '{"file_name": "1.jpg", "label": "cat"}'


@dataclass(frozen=True)
class Lines:
    """A table as it is written: which column holds what, by position."""

    path: Path
    columns: tuple[str, ...]  # their names; numbers from 1 on where there is no header
    rows: list[Sequence[object]]

    def column(self, name: str) -> list[object]:
        """Return the values of one column."""
        at = self.columns.index(name)
        return [row[at] for row in self.rows]


@dataclass(frozen=True)
class Roles:
    """The columns that are read."""

    image: str
    label: str
    split: str | None
    others: tuple[str, ...]  # that could hold the classes as well


def read_lines(path: Path, asked: Collection[str] = ()) -> Lines:
    """Read a table.

    Args:
        asked: Names of columns; a first line that holds one of them is a header.

    Raises:
        ValueError: If it is not a table; the message names the line.
    """
    check_file(path, _LARGEST)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not in UTF-8: save it as CSV in UTF-8") from None
    return _json_lines(path, text) if path.suffix.lower() in (".jsonl", ".ndjson") else _separated(path, text, asked)


def _json_lines(path: Path, text: str) -> Lines:
    rows, columns = list[dict[str, object]](), dict[str, None]()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {number}, is not JSON ({error})") from None
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number}, is not a JSON object such as {_EXAMPLE}")
        rows.append(row)
        columns |= dict.fromkeys(row)
        if len(columns) > _MOST_COLUMNS:
            raise ValueError(f"{path}, line {number}, takes the file to more than {_MOST_COLUMNS:,} different names")
    return Lines(path, tuple(columns), [[row.get(column) for column in columns] for row in rows])


def _separated(path: Path, text: str, asked: Collection[str]) -> Lines:
    first = text.split("\n", 1)[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(_DELIMITERS, key=first.count)
    rows: list[list[str]] = []
    try:
        reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True, skipinitialspace=True)
        for row in reader:
            if any(cell.strip() for cell in row):
                if len(row) > _MOST_COLUMNS:
                    raise ValueError(f"{path}, line {reader.line_num}, has more than {_MOST_COLUMNS:,} columns")
                if rows and len(row) != len(rows[0]):
                    raise ValueError(
                        f"{path}, line {reader.line_num}, has {len(row)} columns, not {len(rows[0])} like the first"
                    )
                rows.append([cell.strip() for cell in row])
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}, cannot be read ({error})") from None
    if not rows:
        raise ValueError(f"{path} is empty")
    if _is_header(rows) or set(asked) & set(rows[0]):
        return Lines(path, tuple(rows[0]), list[Sequence[object]](rows[1:]))
    return Lines(path, tuple(str(number) for number in range(1, len(rows[0]) + 1)), list[Sequence[object]](rows))


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Return True if the first line names columns.

    None of its words is then an image's name, and one is a word for images or labels, or stands above images' names.
    """
    cells, below = rows[0], rows[1:21]
    if any(_is_image(cell) for cell in cells):
        return False
    is_above_images = bool(below) and any(all(map(_is_image, column)) for column in zip(*below, strict=True))
    return is_above_images or bool(named(cells, (*PATHS, *LABELS, *SPLITS)))


def _is_image(cell: object) -> bool:
    return isinstance(cell, str) and os.path.splitext(cell)[1].lower() in SUFFIXES


def roles_of(lines: Lines, image_column: str | None = None, label_column: str | None = None) -> Roles:
    """Find the columns of images and labels.

    Args:
        image_column: Named by the user; None to find it.
        label_column: The same.

    Raises:
        ValueError: If there are none; the sentence names the columns.
    """
    columns, where = list(lines.columns), str(lines.path)
    if image_column:
        image: str | None = asked_for(columns, image_column, "--image_column", where)
    else:
        pictures = [c for c in columns if lines.rows and all(_is_image(value) for value in lines.column(c)[:20])]
        image = next(iter([*named(pictures, PATHS), *pictures, *named(columns, PATHS)]), None)
    rest = [column for column in columns if column != image]
    if label_column:
        labels = [asked_for(rest, label_column, "--label_column", where)]
    else:
        labels = named(rest, LABELS) or (rest if len(rest) == 1 and columns[0] == "1" else [])
    if image is None or not labels:
        lacking = "paths of images (file_name or path)" if image is None else "classes (label or class)"
        raise ValueError(
            f"{where} has the columns {', '.join(columns)}, and none is known to hold {lacking}: name it with "
            f"--{'image' if image is None else 'label'}_column"
        )
    split = next(iter(named([column for column in rest if column not in labels], SPLITS)), None)
    return Roles(image, labels[0], split, tuple(labels[1:]))

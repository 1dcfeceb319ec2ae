"""Data sets that Hugging Face's `save_to_disk` wrote: arrow files, whose images are read where they lie."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...spelling import counted
from ..decode import FilePart, Source
from ..options import LoadOptions
from ..splits import SplitName
from .features import Features, features_of
from .labels import Label, plain
from .shards import check_file
from .table import Table

if TYPE_CHECKING:
    import pyarrow as pa

_LARGEST = 1 << 26  # bytes of a description


def read(table: Table, by_split: dict[SplitName, list[Path]], options: LoadOptions) -> Table:
    """Read the arrow files of each split into an empty table, and return it.

    Raises:
        ValueError: If a file is damaged, or holds no images or labels.
    """
    for path, rows in table.each_file(by_split):
        _refuse_indices(path.parent)
        features, images = _read(path, options)
        table.names = table.names or features.names
        table.label_column = features.label
        table.notes += [features.note] if features.note and features.note not in table.notes else []
        for image, label in images:
            rows.add(image, label)
    return table


def _refuse_indices(folder: Path) -> None:
    """Refuse a data set that was shuffled or filtered and saved as numbers of rows, by older versions."""
    state = _json(folder / "state.json")
    if state.get("_indices_data_files"):
        raise ValueError(
            f"{folder} keeps its rows in a different order from its files: save it after flatten_indices()"
        )


def _json(path: Path) -> Mapping[str, object]:
    try:
        check_file(path, _LARGEST)
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _read(path: Path, options: LoadOptions) -> tuple[Features, Iterator[tuple[Source, Label]]]:
    import pyarrow as pa

    check_file(path)
    try:
        table, base = _opened(path)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is damaged or not an arrow file ({error}): save the data set again") from error
    noted = _json(path.parent / "dataset_info.json").get("features")
    info = noted if isinstance(noted, dict) else None
    features = features_of(table.schema, str(path), options.image_column, options.label_column, info)
    try:
        table.select([features.image, features.label]).validate(full=True)  # else a wrong offset crashes Python
    except pa.ArrowException as error:
        raise ValueError(f"{path} is damaged ({error}): save the data set again") from error
    return features, _rows(table, base, path, features)


def _opened(path: Path) -> tuple[pa.Table, int]:
    """Return the table, which stays on disk, and the address of the file's first byte in memory."""
    import pyarrow as pa

    mapped = pa.memory_map(str(path))
    base: int = mapped.read_buffer().address
    mapped.seek(0)
    try:
        return pa.ipc.open_stream(mapped).read_all(), base
    except pa.ArrowInvalid:  # the other of its two formats
        mapped.seek(0)
        return pa.ipc.open_file(mapped).read_all(), base


def _rows(table: pa.Table, base: int, path: Path, features: Features) -> Iterator[tuple[Source, Label]]:
    import pyarrow as pa

    size = path.stat().st_size
    labels = iter(table.column(features.label).to_pylist())
    place = f"the column {features.label} of {path}"
    row = 0
    for chunk in table.column(features.image).chunks:
        encoded = chunk.field("bytes") if pa.types.is_struct(chunk.type) else chunk
        if not (pa.types.is_binary(encoded.type) or pa.types.is_large_binary(encoded.type)):
            raise ValueError(f"{path}: the column {features.image} holds {encoded.type}, not the bytes of image files")
        if encoded.null_count:
            empty = counted(encoded.null_count, "row")
            raise ValueError(
                f"{path}: the column {features.image} has no image in {empty}: save it with its images embedded"
            )
        for start, length in _extents(encoded):
            if not 0 <= start - base <= size - length:
                raise ValueError(f"{path} is compressed: save the data set without compression")
            part = FilePart(path, start - base, length, f"the image in row {row} of {path}")
            yield part, plain(next(labels), features.names, place)
            row += 1


def _extents(array: pa.Array) -> list[tuple[int, int]]:
    """Return the address and the size of each value of a binary array."""
    import pyarrow as pa

    _, offsets, data = array.buffers()
    if data is None:  # no value has any bytes
        return [(0, 0)] * len(array)
    kind = np.int64 if pa.types.is_large_binary(array.type) else np.int32
    ends = np.frombuffer(offsets, kind)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    return list(zip((data.address + ends[:-1]).tolist(), np.diff(ends).tolist(), strict=True))

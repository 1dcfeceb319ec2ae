"""Hugging Face image data sets: parquet files with an image column and a label column.

Small data sets are held in memory as they are encoded. Others are unpacked to disk once, because single images cannot
be read out of compressed columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from ..decode import Encoded, FilePart, Source
from ..options import LoadOptions
from ..splits import SplitName
from .features import Features, features_of
from .labels import Label, plain
from .shards import check_file
from .table import Table
from .unpacked import Unpacked

if TYPE_CHECKING:
    import pyarrow.parquet as pq

ROWS = 250  # read at a time
BUFFER = 1 << 18  # bytes read at a time
_FEW, _LEAST = 10_000, 10  # rows; bytes of an image in a file with more
_MUCH, _HIGHEST = 1 << 27, 50  # bytes of images, and how often more than their file has, that are not images
IN_MEMORY = 1 << 29  # bytes of encoded images


def read(table: Table, by_split: dict[SplitName, list[Path]], options: LoadOptions, store: Path) -> Table:
    """Read the parquet files of each split into an empty table, and return it.

    Args:
        store: Where images are unpacked that are too many for memory.

    Raises:
        ValueError: If a file is damaged, or holds no images or labels.
    """
    with _frugal():
        files = [path for paths in by_split.values() for path in paths]
        features = {path: _features(path, options) for path in files}
        bytes_in_all = sum(_image_bytes(path, features[path].image) for path in files)
        for path, rows in table.each_file(by_split):
            table.names = table.names or features[path].names
            table.label_column = features[path].label
            for image, label in _images(path, features[path], store if bytes_in_all > IN_MEMORY else None):
                rows.add(image, label)
    if bytes_in_all > IN_MEMORY:
        table.notes.append(f"images are unpacked into {store} ({bytes_in_all / 1e9:.1f} GB)")
    table.notes += dict.fromkeys(one.note for one in features.values() if one.note)
    return table


def holds_images(path: Path) -> bool:
    """Return True for a parquet file with a column of encoded images."""
    import pyarrow as pa

    with _open(path) as file:
        kinds = [field.type for field in file.schema_arrow]
    return any(
        pa.types.is_binary(kind) or (pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0) for kind in kinds
    )


@contextmanager
def _frugal() -> Iterator[None]:
    """Let pyarrow take memory that it gives back: its own allocator keeps it, for more files to come."""
    import pyarrow as pa

    usual = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(usual)


def _open(path: Path) -> pq.ParquetFile:
    import pyarrow as pa  # here, because only this format needs it
    import pyarrow.parquet as pq

    check_file(path)

    try:
        return pq.ParquetFile(path, buffer_size=BUFFER)  # else it reads a whole column at once
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is damaged or not a parquet file ({error}): download it again") from error


def _features(path: Path, options: LoadOptions) -> Features:
    with _open(path) as file:
        return features_of(file.schema_arrow, str(path), options.image_column, options.label_column)


def _image_bytes(path: Path, column: str) -> int:
    """Return the number of bytes that the images take, uncompressed."""
    with _open(path) as file:
        size, rows = path.stat().st_size, file.metadata.num_rows
        if rows > _FEW and rows * _LEAST > size:
            raise ValueError(
                f"{path} claims to hold {rows:,} images in {size:,} bytes, one over and over: the file may be malicious"
            )
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
        images = [chunk for chunk in chunks if chunk.path_in_schema.split(".")[0] == column]
        unpacked: int = sum(chunk.total_uncompressed_size for chunk in images)
        if unpacked > _MUCH and unpacked > _HIGHEST * size:
            raise ValueError(
                f"{path} unpacks to {unpacked / 1e9:.3g} GB of images from {size:,} bytes, and images hardly "
                "compress: the file may be malicious"
            )
        return unpacked


def _images(path: Path, features: Features, store: Path | None) -> Iterator[tuple[Source, Label]]:
    """Yield the image and the label of each row."""
    place = f"the column {features.label} of {path}"
    if store is None:
        for row, (image, label) in enumerate(_rows(path, features.image, features.label)):
            yield _source(image, path, row, features.image), plain(label, features.names, place)
        return
    unpacked = Unpacked(store, path, features.image)
    if not unpacked.is_complete:
        unpacked.write(
            _bytes_of(image, path, row, features.image) for row, image in enumerate(_column(path, features.image))
        )
    for row, ((offset, size), label) in enumerate(zip(unpacked.parts(), _column(path, features.label), strict=True)):
        yield FilePart(unpacked.file, offset, size, _name(path, row)), plain(label, features.names, place)


def _source(image: object, path: Path, row: int, column: str) -> Source:
    named = image.get("path") if isinstance(image, dict) and image.get("bytes") is None else image
    if isinstance(named, str):  # of a file beside this one
        return path.parent / named
    return Encoded(_bytes_of(image, path, row, column), _name(path, row))


def _bytes_of(image: object, path: Path, row: int, column: str) -> bytes:
    content = image.get("bytes") if isinstance(image, dict) else image
    if not isinstance(content, bytes):
        raise ValueError(
            f"{path}: the column {column} has no image in row {row}: save the data set with its images embedded, as "
            "push_to_hub does"
        )
    return content


def _name(path: Path, row: int) -> str:
    return f"the image in row {row} of {path}"


def _column(path: Path, name: str) -> Iterator[object]:
    return (value for (value,) in _rows(path, name))


def _rows(path: Path, *columns: str) -> Iterator[Sequence[object]]:
    """Yield the values of these columns, row by row."""
    import pyarrow as pa

    with _open(path) as file:
        try:
            groups = range(file.num_row_groups)  # one at a time: asked for all, pyarrow holds them all in memory
            for batch in chain.from_iterable(
                file.iter_batches(ROWS, row_groups=[g], columns=list(columns)) for g in groups
            ):
                yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{path} is damaged ({error}): download it again") from error

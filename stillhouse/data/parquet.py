"""Hugging Face image data sets: parquet files with an image column and a label column."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .arrays import MAX_SIZE, Arrays
from .cifar import CIFAR10, CIFAR100
from .cifar100_names import CIFAR100_NAMES
from .decode import PLAIN, Decoding, rgb

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMNS = ("fine_label", "label")
TEST_NAMES = ("test", "validation", "valid", "val")
CIFAR_IMAGES = 50_000, 10_000  # for training and testing
ROWS = 250  # decoded at a time
BUFFER = 1 << 18  # bytes read at a time


def find(folder: Path) -> Path | None:
    """`folder` or its subfolder `data`, whichever holds parquet files."""
    return next((place for place in (folder, folder / "data") if any(place.glob("*.parquet"))), None)


def read(folder: Path, name: str, decoding: Decoding = PLAIN) -> Arrays:
    """The parquet files train-*.parquet and test-*.parquet (or validation-, valid-, val-) in `folder`."""
    train_files = _files(folder, "train")
    test_files = next((files for prefix in TEST_NAMES if (files := _files(folder, prefix))), [])
    if not train_files or not test_files:
        missing = "train-*.parquet" if not train_files else "test-*.parquet (nor validation-*.parquet)"
        found = ", ".join(sorted(path.name for path in folder.glob("*.parquet"))[:5])
        raise ValueError(f"{folder} holds parquet files ({found}) but no {missing}: rename or add the missing files.")
    with _frugal():
        train_images, train_labels, label_column, classes = _read(train_files, decoding)
        test_images, test_labels, _, _ = _read(test_files, decoding)
    if train_images.shape[1:] != test_images.shape[1:]:
        raise ValueError(
            f"{folder}: training images are {_size(train_images)}, test images {_size(test_images)} pixels."
        )
    if not classes:
        classes = tuple(str(label) for label in range(int(train_labels.max()) + 1))
    known = None
    if train_images.shape[1] == 32 and len(classes) == 100 and label_column == "fine_label":
        known = CIFAR100
        classes = CIFAR100_NAMES if classes[0] == "0" else classes
    elif train_images.shape[1] == 32 and len(classes) == 10 and "cifar10" in name.lower().replace("-", ""):
        known = CIFAR10
    is_whole = (len(train_images), len(test_images)) == CIFAR_IMAGES  # a part goes by the folder's name
    return Arrays(
        name=known.name if known and is_whole else name,
        source=str(folder),
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        classes=classes,
        mean=known.mean if known else None,
        std=known.std if known else None,
    )


def _files(folder: Path, split: str) -> list[Path]:
    return sorted([*folder.glob(f"{split}-*.parquet"), *folder.glob(f"{split}.parquet")])


def _size(images: Tensor) -> str:
    return f"{images.shape[2]}x{images.shape[1]}"


def _read(paths: Sequence[Path], decoding: Decoding) -> tuple[Tensor, Tensor, str, tuple[str, ...]]:
    """(N, S, S, 3) uint8, (N,) int64, the name of the label column, the classes' names if the file tells"""
    opened = [_open(path) for path in paths]
    total = sum(file.metadata.num_rows for file in opened)
    schema = opened[0].schema_arrow
    image_column = _column(schema, IMAGE_COLUMNS, "image", paths[0])
    label_column = _column(schema, LABEL_COLUMNS, "label", paths[0])
    images, labels = torch.empty(0), torch.empty(total, dtype=torch.int64)
    position = 0
    for path, file in zip(paths, opened, strict=True):
        with file:
            for row, (encoded, label) in enumerate(_rows(file, path, image_column, label_column)):
                image = rgb(encoded, f"The image in row {row} of {path}", decoding)
                if position == 0:  # stored once, in place: the data path's memory is that of the pixels
                    images = torch.empty(total, *_checked_size(image.size, path), 3, dtype=torch.uint8)
                if image.size != (images.shape[2], images.shape[1]):
                    raise ValueError(
                        f"{path} holds images of different sizes ({_size(images)} and {image.width}x{image.height} "
                        "pixels). Write them to class folders (train/CLASS/*.png, val/CLASS/*.png) instead."
                    )
                images[position] = torch.from_numpy(np.array(image))
                labels[position] = label
                position += 1
    if total == 0:
        raise ValueError(f"{paths[0]} holds no images.")
    return images, labels, label_column, _class_names(schema, label_column)


@contextmanager
def _frugal() -> Iterator[None]:
    """pyarrow takes memory that it gives back: its own allocator keeps it, for more files to come."""
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

    try:
        return pq.ParquetFile(path, buffer_size=BUFFER)  # else it reads a whole column at once
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is damaged or no parquet file ({error}). Download it again.") from error


def _rows(file: pq.ParquetFile, path: Path, image_column: str, label_column: str) -> Iterator[tuple[bytes, int]]:
    import pyarrow as pa

    try:
        columns = [image_column, label_column]
        groups = range(file.num_row_groups)  # one at a time: asked for all, pyarrow holds them all in memory
        for rows in chain.from_iterable(file.iter_batches(ROWS, row_groups=[g], columns=columns) for g in groups):
            images = rows.column(image_column)
            if pa.types.is_struct(images.type) and images.type.get_field_index("bytes") >= 0:
                images = images.field("bytes")  # Hugging Face's {bytes, path}
            for image, label in zip(images.to_pylist(), rows.column(label_column).to_pylist(), strict=True):
                if type(image) is not bytes:
                    raise ValueError(
                        f"{path}: the column {image_column} has rows without the bytes of an image file. Save the data "
                        "set with its images embedded."
                    )
                if type(label) is not int:
                    raise ValueError(f"{path}: the column {label_column} holds {label!r}; it must hold class numbers.")
                yield image, label
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is damaged ({error}). Download it again.") from error


def _checked_size(size: tuple[int, int], path: Path) -> tuple[int, int]:
    if size[0] != size[1] or size[0] > MAX_SIZE:
        raise ValueError(
            f"{path} holds images of {size[0]}x{size[1]} pixels; from parquet only square ones up to {MAX_SIZE} pixels "
            "are read. Write them to class folders (train/CLASS/*.png, val/CLASS/*.png) and pass that folder."
        )
    return size


def _column(schema: pa.Schema, accepted: Sequence[str], what: str, path: Path) -> str:
    for name in accepted:
        if name in schema.names:
            return name
    raise ValueError(
        f"{path} has the columns {', '.join(schema.names)}; the {what} column must be called {' or '.join(accepted)}."
    )


def _class_names(schema: pa.Schema, label_column: str) -> tuple[str, ...]:
    """From the note that the `datasets` library leaves in the file; () if there is none"""
    try:
        note = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = note["info"]["features"][label_column]["names"]
    except (ValueError, KeyError, TypeError):
        return ()
    return tuple(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else ()

"""STL-10 (Coates, Lee and Ng, AISTATS 2011): 96x96 pictures, most of them without labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..arrays import Arrays
from .facts import Named, holds
from .fetch import Archive
from .listed import lines

SIDE = 96
_IMAGE = 3 * SIDE * SIDE  # bytes
_MOST = 100_000  # images in a file


def read(folder: Path) -> Arrays:
    """Read a folder stl10_binary.

    A file of images holds, one image after another, its red, green and blue plane, each column by column. Labels are
    bytes from 1 on, in the order of class_names.txt. The images without labels, and the ten folds of the training
    images, are left out.
    """
    classes = tuple(" ".join(words) for _, words in lines(folder / "class_names.txt"))
    (train_images, train_labels), (test_images, test_labels) = (_split(folder, split) for split in ("train", "test"))
    return Arrays(
        name="stl10",
        source=str(folder),
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        classes=classes,
        notes=("the 100,000 images of STL-10 without labels are left out",),
    )


def _split(folder: Path, split: str) -> tuple[Tensor, Tensor]:
    """(N, 96, 96, 3) uint8, (N,) int64"""
    images = _bytes(folder / f"{split}_X.bin", _IMAGE).reshape(-1, 3, SIDE, SIDE).transpose(0, 3, 2, 1)
    labels = _bytes(folder / f"{split}_y.bin", 1)
    if len(images) != len(labels):
        raise ValueError(f"{folder}: {split} holds {len(images)} images but {len(labels)} labels: unpack it again")
    return torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(labels.astype(np.int64)) - 1


def _bytes(path: Path, unit: int) -> np.ndarray:
    """Return the bytes of a file, which must be a number of whole units."""
    if not path.is_file():
        raise ValueError(f"{path} is missing or not a file: unpack the archive again")
    size = path.stat().st_size
    if not 0 < size <= _MOST * unit or size % unit:
        raise ValueError(f"{path} has {size:,} bytes, which is no number of images: unpack the archive again")
    return np.fromfile(path, np.uint8)


STL10 = Named(
    name="stl10",
    title="STL-10 (Coates et al., 2011)",
    images=(5000, 0, 8000),
    classes=10,
    pixels="96x96",
    licence="not stated; the images are from ImageNet",
    page="https://cs.stanford.edu/~acoates/stl10/",
    read=read,
    is_in=holds("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin", "class_names.txt"),
    folder="stl10_binary",
    archives=(
        Archive(
            "stl10_binary.tar.gz",
            "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
            "md5:91f7769df0f17e558f3565bffb0c7dfb",
            2_640_397_119,
        ),
    ),
    unpacked=3_130_000_000,
    files=20,
    left_out="the 100,000 images without labels, and the folds",
)

"""SVHN, cropped digits (Netzer et al., 2011): house numbers in street views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..arrays import Arrays
from .facts import Named, holds
from .fetch import Archive
from .matlab import load_mat, numbers

_FILES = ("train_32x32.mat", "test_32x32.mat")
_URL = "http://ufldl.stanford.edu/housenumbers/"
_SIDE = 32


def read(folder: Path) -> Arrays:
    """Read train_32x32.mat and test_32x32.mat; the digit 0, which has the label 10 there, is class 0.

    Not flipped in training: a mirrored 2 is not a 2.
    """
    (train_images, train_labels), (test_images, test_labels) = (_split(folder / name) for name in _FILES)
    return Arrays(
        name="svhn",
        source=str(folder),
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        classes=tuple("0123456789"),
        flip=False,
        notes=("the 531,131 extra images of SVHN are left out",),
    )


def _split(path: Path) -> tuple[Tensor, Tensor]:
    """(N, 32, 32, 3) uint8, (N,) int64"""
    images, labels = load_mat(path, "X", "y")
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[:3] != (_SIDE, _SIDE, 3):
        raise ValueError(f"{path} holds no images of 32x32: it is not a file of SVHN's cropped digits")
    digits = torch.tensor(numbers(labels, path, 0, 10)) % 10
    if len(digits) != images.shape[3]:
        raise ValueError(f"{path} holds {images.shape[3]} images but {len(digits)} labels: get it again")
    return torch.from_numpy(np.ascontiguousarray(images.transpose(3, 0, 1, 2))), digits


SVHN = Named(
    name="svhn",
    title="SVHN, cropped digits (Netzer et al., 2011)",
    images=(73_257, 0, 26_032),
    classes=10,
    pixels="32x32",
    licence="non-commercial use",
    page=_URL,
    read=read,
    is_in=holds(*_FILES),
    folder="svhn",
    archives=(
        Archive(_FILES[0], _URL + _FILES[0], "md5:e26dedcc434d2e4c54c9b2d4a06d8373", 182_040_794, is_kept=True),
        Archive(_FILES[1], _URL + _FILES[1], "md5:eb5a983be6a315427106f1b164d9cef3", 64_275_384, is_kept=True),
    ),
    left_out="the 531,131 extra images",
)

"""Fashion-MNIST (Xiao et al., 2017, arXiv:1708.07747): grey pictures of clothes."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..arrays import Arrays
from .facts import Named
from .fetch import Archive
from .unpack import read_safely

BORDER = 2  # pixels on each side: 28x28 -> 32x32, the size the networks are made for
CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
_FOLDER = "FashionMNIST/raw"
_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_FILES = {
    "train-images-idx3-ubyte": ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26_421_880),
    "train-labels-idx1-ubyte": ("25c81989df183df01b3e8a0aad5dffbe", 29_515),
    "t10k-images-idx3-ubyte": ("bef4ecab320f06d8554ea6380940ec79", 4_422_102),
    "t10k-labels-idx1-ubyte": ("bb300cfdad3c16e7a12a480ee83cd310", 5_148),
}
_SIDE, _MOST = 28, 10**6  # pixels; images in a file


def read(folder: Path) -> Arrays:
    """Read the four IDX files, packed or not: images of 28x28, black border to 32x32, made RGB."""
    train, test = (_bordered(_idx(folder / f"{part}-images-idx3-ubyte", 3)) for part in ("train", "t10k"))
    labels = [_idx(folder / f"{part}-labels-idx1-ubyte", 1).long() for part in ("train", "t10k")]
    for images, classes in zip((train, test), labels, strict=True):
        if len(images) != len(classes):
            raise ValueError(f"{folder} holds {len(images)} images but {len(classes)} labels: get the files again")
    return Arrays(
        name="fashion_mnist",
        source=f"{folder}; black border to 32x32",
        train_images=train,
        train_labels=labels[0],
        test_images=test,
        test_labels=labels[1],
        classes=CLASSES,
        # 0.2860 and 0.3530 over 28x28 pixels, turned into those of 32x32 pixels with the border.
        mean=(0.2190, 0.2190, 0.2190),
        std=(0.3318, 0.3318, 0.3318),
    )


def _idx(path: Path, dimensions: int) -> Tensor:
    """Read a file of bytes in the IDX format: two zeros, the type (8), the number of dimensions, their sizes."""
    most = _MOST * _SIDE * _SIDE
    if path.is_file():
        if path.stat().st_size > most:
            raise ValueError(f"{path} has {path.stat().st_size:,} bytes, more than it ever has: get it again")
        content = path.read_bytes()
    else:
        path = path.with_name(f"{path.name}.gz")
        with read_safely(path), gzip.open(path) as file:
            content = file.read(most)
    start = 4 + 4 * dimensions
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], ">u4")) if len(content) >= start else ()
    is_right = content[:4] == bytes([0, 0, 8, dimensions]) and shape[1:] == (_SIDE, _SIDE)[: dimensions - 1]
    if not is_right or len(content) - start != shape[0] * _SIDE ** (dimensions - 1):
        raise ValueError(f"{path} is damaged or not a file of Fashion-MNIST: get it again")
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy())


def _bordered(grey: Tensor) -> Tensor:
    """(N, 28, 28) -> (N, 32, 32, 3)"""
    return F.pad(grey, (BORDER, BORDER, BORDER, BORDER))[..., None].expand(-1, -1, -1, 3).contiguous()


def _is_in(folder: Path) -> bool:
    return all((folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in _FILES)


FASHION_MNIST = Named(
    name="fashion_mnist",
    title="Fashion-MNIST (Xiao et al., 2017)",
    images=(60_000, 0, 10_000),
    classes=10,
    pixels="28x28, black border to 32x32",
    licence="MIT",
    page="https://github.com/zalandoresearch/fashion-mnist",
    read=read,
    is_in=_is_in,
    folder=_FOLDER,
    store=_FOLDER,
    archives=tuple(
        Archive(f"{name}.gz", f"{_URL}{name}.gz", f"md5:{md5}", size, is_kept=True)
        for name, (md5, size) in _FILES.items()
    ),
)

"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009) in their original form: Python pickles, read without trusting them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..arrays import Arrays
from ..dataset import Channels
from ..plain_pickle import read_plain
from .facts import Named, holds
from .fetch import Archive


@dataclass(frozen=True)
class Layout:
    """Files and keys of an unpacked archive."""

    name: str
    train: tuple[str, ...]
    test: str
    meta: str
    label_key: str
    names_key: str
    mean: Channels
    std: Channels


LAYOUT10 = Layout(
    name="cifar10",
    train=("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"),
    test="test_batch",
    meta="batches.meta",
    label_key="labels",
    names_key="label_names",
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
)

LAYOUT100 = Layout(
    name="cifar100",
    train=("train",),
    test="test",
    meta="meta",
    label_key="fine_labels",
    names_key="fine_label_names",
    mean=(0.5071, 0.4867, 0.4408),
    std=(0.2675, 0.2565, 0.2761),
)


def read(layout: Layout, folder: Path) -> Arrays:
    """Read an unpacked archive that lies in `folder`."""
    (names,) = _entries(folder / layout.meta, layout.names_key)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{folder / layout.meta} holds no list of class names called {layout.names_key}")
    train = [_batch(folder / name, layout.label_key) for name in layout.train]
    test_images, test_labels = _batch(folder / layout.test, layout.label_key)
    return Arrays(
        name=layout.name,
        source=str(folder),
        train_images=train[0][0] if len(train) == 1 else torch.cat([images for images, _ in train]),
        train_labels=torch.cat([labels for _, labels in train]),
        test_images=test_images,
        test_labels=test_labels,
        classes=tuple(names),
        mean=layout.mean,
        std=layout.std,
    )


def _batch(path: Path, label_key: str) -> tuple[Tensor, Tensor]:
    """(N, 32, 32, 3) uint8, (N,)"""
    data, labels = _entries(path, "data", label_key)
    right = isinstance(data, np.ndarray) and data.dtype == np.uint8 and data.ndim == 2 and data.shape[1] == 3072
    if not right or not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise ValueError(f"{path} is not a CIFAR batch: it needs (N, 3072) uint8 images and a list of {label_key}")
    assert isinstance(data, np.ndarray)
    if len(labels) != len(data):
        raise ValueError(f"{path} holds {len(data)} images but {len(labels)} labels: get the file again")
    images = torch.from_numpy(data).view(-1, 3, 32, 32).permute(0, 2, 3, 1).contiguous()
    return images, torch.tensor(labels, dtype=torch.int64)


def _entries(path: Path, *keys: str) -> list[object]:
    content = read_plain(path)
    for key in keys:
        if not isinstance(content, dict) or key not in content:
            raise ValueError(f"{path} holds no {key}: it is not a file of this data set")
    assert isinstance(content, dict)
    return [content[key] for key in keys]


_URL = "https://www.cs.toronto.edu/~kriz/"

CIFAR10 = Named(
    name="cifar10",
    title="CIFAR-10 (Krizhevsky, 2009)",
    images=(50_000, 0, 10_000),
    classes=10,
    pixels="32x32",
    licence="not stated",
    page=f"{_URL}cifar.html",
    read=partial(read, LAYOUT10),
    is_in=holds(*LAYOUT10.train, LAYOUT10.meta),
    folder="cifar-10-batches-py",
    archives=(
        Archive(
            "cifar-10-python.tar.gz",
            _URL + "cifar-10-python.tar.gz",
            "md5:c58f30108f718f92721af3b95e74349a",
            170_498_071,
        ),
    ),
    unpacked=190_000_000,
    files=20,
)

CIFAR100 = Named(
    name="cifar100",
    title="CIFAR-100 (Krizhevsky, 2009)",
    images=(50_000, 0, 10_000),
    classes=100,
    pixels="32x32",
    licence="not stated",
    page=f"{_URL}cifar.html",
    read=partial(read, LAYOUT100),
    is_in=holds(*LAYOUT100.train, LAYOUT100.meta),
    folder="cifar-100-python",
    archives=(
        Archive(
            "cifar-100-python.tar.gz",
            _URL + "cifar-100-python.tar.gz",
            "md5:eb9058c3a382ffc7106e4002c42a8d85",
            169_001_437,
        ),
    ),
    unpacked=190_000_000,
    files=20,
)

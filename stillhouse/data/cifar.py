"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009) in their original form: Python pickles, read without trusting them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision.datasets.utils import download_and_extract_archive

from .arrays import Arrays
from .dataset import Channels
from .plain_pickle import read_plain


@dataclass(frozen=True)
class Layout:
    """Files and keys of an unpacked archive."""

    name: str
    folder: str
    train: tuple[str, ...]
    test: str
    meta: str
    label_key: str
    names_key: str
    url: str
    md5: str
    mean: Channels
    std: Channels


CIFAR10 = Layout(
    name="cifar10",
    folder="cifar-10-batches-py",
    train=("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"),
    test="test_batch",
    meta="batches.meta",
    label_key="labels",
    names_key="label_names",
    url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    md5="c58f30108f718f92721af3b95e74349a",
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
)

CIFAR100 = Layout(
    name="cifar100",
    folder="cifar-100-python",
    train=("train",),
    test="test",
    meta="meta",
    label_key="fine_labels",
    names_key="fine_label_names",
    url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    md5="eb9058c3a382ffc7106e4002c42a8d85",
    mean=(0.5071, 0.4867, 0.4408),
    std=(0.2675, 0.2565, 0.2761),
)


def cifar10(folder: Path) -> Arrays:
    """Load 50,000 training and 10,000 test images of 32x32 in 10 classes, downloaded to `folder` at first use."""
    return _downloaded(CIFAR10, folder)


def cifar100(folder: Path) -> Arrays:
    """Load 50,000 training and 10,000 test images of 32x32 in 100 classes, downloaded to `folder` at first use."""
    return _downloaded(CIFAR100, folder)


def find(folder: Path) -> tuple[Layout, Path] | None:
    """Return the unpacked archive that `folder` is or contains, if any."""
    for layout in (CIFAR10, CIFAR100):
        for place in (folder, folder / layout.folder):
            if (place / layout.train[0]).is_file() and (place / layout.meta).is_file():
                return layout, place
    return None


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


def _downloaded(layout: Layout, folder: Path) -> Arrays:
    found = folder / layout.folder
    if not all((found / name).is_file() for name in (*layout.train, layout.test, layout.meta)):
        try:
            download_and_extract_archive(layout.url, str(folder), md5=layout.md5)
        except (OSError, RuntimeError) as error:
            raise ValueError(
                f"{layout.name} could not be downloaded ({error}); without a network: fetch {layout.url} elsewhere, "
                f"unpack it into {folder} so that {found} exists, or pass the unpacked folder as --data"
            ) from error
    return read(layout, found)


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

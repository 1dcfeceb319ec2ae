"""CIFAR-10 and CIFAR-100 in Hugging Face's tables: their names, classes and statistics are those of the archives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..arrays import Arrays
from ..named.cifar import LAYOUT10, LAYOUT100
from .cifar100_names import CIFAR100_NAMES

_IMAGES = 50_000, 10_000  # for training and testing
_SIDE = 32
_CONFIGURATION = "plain_text"  # of CIFAR-10 on the Hub


def as_cifar(arrays: Arrays, label_column: str) -> Arrays:
    """Return the data set with what is known of CIFAR, if it is one or a part of one; others as they are.

    CIFAR-100 is known by its column `fine_label`, CIFAR-10 by the name of its folder.
    """
    if arrays.train_images.shape[1] != _SIDE:
        return arrays
    folder = Path(arrays.source.partition(";")[0])
    folder = folder.parent if folder.name == _CONFIGURATION else folder
    if len(arrays.classes) == 100 and label_column == "fine_label":
        known = LAYOUT100
        names = CIFAR100_NAMES if arrays.classes[0] == "0" else arrays.classes
        arrays = replace(arrays, classes=names)
    elif len(arrays.classes) == 10 and "cifar10" in f"{arrays.name} {folder.name}".lower().replace("-", ""):
        known = LAYOUT10
    else:
        return arrays
    is_whole = (len(arrays.train_labels), len(arrays.test_labels)) == _IMAGES  # a part goes by the folder's name
    name = known.name if is_whole else arrays.name
    return replace(arrays, name=name, mean=known.mean, std=known.std)

"""Data sets by name: one file each, which has its published facts and the reader of its original layout."""

from __future__ import annotations

from pathlib import Path

from .cifar import CIFAR10, CIFAR100
from .cinic10 import CINIC10
from .cub200 import CUB200
from .digits import DIGITS, digits as digits
from .facts import Named as Named
from .fashion_mnist import FASHION_MNIST
from .flowers102 import FLOWERS102
from .food101 import FOOD101
from .imagenet import IMAGENET
from .pets import PETS
from .stl10 import STL10
from .svhn import SVHN
from .tiny_imagenet import TINY_IMAGENET

DATASETS: dict[str, Named] = {
    one.name: one
    for one in (
        DIGITS,
        FASHION_MNIST,
        CIFAR10,
        CIFAR100,
        CINIC10,
        SVHN,
        TINY_IMAGENET,
        STL10,
        CUB200,
        FLOWERS102,
        PETS,
        FOOD101,
        IMAGENET,
    )
}


def find(folder: Path) -> tuple[Named, Path] | None:
    """Return the named data set that `folder` is, or that lies in it, with its place; None if there is none.

    Raises:
        ValueError: If several lie in it; the sentence names them.
    """
    found = [(one, place) for one in DATASETS.values() if (place := one.place_in(folder))]
    found = [(one, place) for one, place in found if place == folder] or found
    if len(found) > 1:
        names = ", ".join(one.name for one, _ in found)
        raise ValueError(f"{folder} holds several data sets ({names}): pass the folder of one, as --data {found[0][1]}")
    return found[0] if found else None

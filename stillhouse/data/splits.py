"""Assign the parts of a data set to training, validation and testing: by the names of folders and files, or by a hash.

One rule for class folders, tables and parquet files. Train on "train". Where images for testing and for validation are
both there, choose by the validation images and measure on the test images; where only one of them is there, it is the
test set.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar, get_args

import numpy as np
import torch
from torch import Tensor

from ..rng import stream_seed

SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)
TEST_FRACTION = 0.2  # of the images, where a data set has no test set

_WORDS: dict[SplitName, str] = {
    "train": "train|training|trn|trainval",
    "validation": "val|valid|validation|validate|dev|devel|development|eval|evaluation",
    "test": "test|testing|tst|holdout|heldout",
}
_KINDS = "set|sets|data|dataset|image|images|img|imgs|pic|pics|picture|pictures|split|folder|sample|samples"
_SPLIT = {split: re.compile(rf"({words})({_KINDS})?\d*") for split, words in _WORDS.items()}

T = TypeVar("T")


def split_of(name: str) -> SplitName | None:
    """Return the split that a folder or file is called after, in any case: "Training", "train_set", "dev", "test2".

    Of parquet and other files pass the name before the first "-" or ".".
    """
    letters = re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).casefold())
    return next((split for split, pattern in _SPLIT.items() if pattern.fullmatch(letters)), None)


def split_within(name: str) -> tuple[str, SplitName] | None:
    """Return what is left of a name without the one word in it that names a split, and that split.

    "seg_train" -> ("seg", "train"); None for "cat", for "train" itself, and for "train_test".
    """
    words = [word for word in re.split(r"[\W_]+", unicodedata.normalize("NFKC", name).casefold()) if word]
    named = [(word, split) for word in words if (split := split_of(word)) is not None]
    if len(named) != 1 or len(words) < 2 or split_of(name) is not None:
        return None
    ((word, split),) = named
    return "_".join(other for other in words if other != word), split


def choose_held_out(found: Mapping[SplitName, T]) -> tuple[T | None, T | None]:
    """Return what to measure on and what to choose by, of the splits whose images have labels."""
    if "test" in found:
        return found["test"], found.get("validation")
    return found.get("validation"), None


def name_keys(names: Sequence[str]) -> Tensor:
    """Hash the name of each image, the same in whichever Unicode form a disk has it: -> (N,) int64."""
    return torch.tensor([_key(name) for name in names], dtype=torch.int64)


def _key(name: str) -> int:
    digest = hashlib.blake2b(os.fsencode(unicodedata.normalize("NFC", name)), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def draws(keys: Tensor, seed: int, purpose: str = "held out by name") -> Tensor:
    """Return a number in [0, 1) for each key that depends on that key, the seed and the purpose alone.

    The mixing is that of SplitMix64 (Steele et al., OOPSLA 2014).

    Args:
        keys: (N,) int64.

    Returns:
        (N,) float64.
    """
    x = keys.numpy().astype(np.uint64) ^ np.uint64(stream_seed(seed, purpose))
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    return torch.from_numpy((x >> np.uint64(11)).astype(np.float64) / 2**53)


def held_out_by_name(
    keys: Tensor, labels: Tensor, fraction: float = TEST_FRACTION, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Split positions by the names of the images: (N,), (N,) -> kept (K,), held out (N - K,), ascending.

    An image is held out where its draw is below the fraction, whatever other images there are: adding images moves
    none from one side to the other. About that fraction of each class is held out, not exactly. In a class of two
    images or more at least one is held out and one kept: where chance leaves a side empty, the image that is nearest
    to it crosses over. Only that one image can move when images are added, back to the side that its draw says.

    Args:
        keys: (N,) int64, see `name_keys`.
        labels: (N,) int64.
    """
    check_fraction(fraction)
    drawn = draws(keys, seed)
    held_out = drawn < fraction
    for label in labels.bincount().nonzero().flatten():
        members = (labels == label).nonzero().flatten()
        if len(members) < 2:
            held_out[members] = False
        elif not held_out[members].any():
            held_out[members[drawn[members].argmin()]] = True
        elif held_out[members].all():
            held_out[members[drawn[members].argmax()]] = False
    return (~held_out).nonzero().flatten(), held_out.nonzero().flatten()


def check_fraction(fraction: float) -> None:
    """Refuse a fraction that would hold out nothing or everything."""
    if not 0 < fraction < 1:
        raise ValueError(f"the fraction to hold out must lie between 0 and 1, for example 0.1, not {fraction}")

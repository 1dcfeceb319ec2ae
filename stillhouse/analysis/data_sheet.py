"""A data set at a glance: classes and their sizes, training views beside held-out images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data import Data, Folder, Split
from ..data.decode import rgb

ROWS = 12  # classes on the sheet
VIEWS, HELD_OUT = 6, 4  # images of a class on the sheet: training views, and as evaluation shows them
MEASURED = 200  # training images whose sizes are read, of those on disk

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """Images of a class, (M, S, S, 3) uint8; None where there are none."""

    label: int
    views: Pixels | None
    held_out: Pixels | None


def counts(data: Data) -> dict[str, Tensor]:
    """Return the number of images of each class, (C,), by the name of the split."""
    splits = {"training": data.train, "validation": data.validation, "test": data.test}
    classes = len(data.classes)
    return {name: split.labels.bincount(minlength=classes) for name, split in splits.items() if split is not None}


def chosen(sizes: Tensor) -> list[int]:
    """Return classes for the sheet, evenly among all ranked by their size, the largest first: (C,) -> labels."""
    ranked = sizes.argsort(descending=True, stable=True)
    places = torch.linspace(0, len(ranked) - 1, min(ROWS, len(ranked))).round().long()
    return [int(label) for label in ranked[places]]


def rows(data: Data) -> list[Row]:
    """Return the rows of the sheet: views of the first epoch, exactly as students are given them."""
    labels = chosen(data.train.labels.bincount(minlength=len(data.classes)))
    found: dict[str, dict[int, Pixels]] = {}
    for name, split, many in (("views", data.train, VIEWS), ("held_out", data.test, HELD_OUT)):
        places = {label: _places(split, label, many) for label in labels}
        where = torch.cat(list(places.values()))
        found[name] = {}
        if len(where):
            shown = split.views(0, where) if name == "views" else split.evaluated(where)
            parts = torch.split(pixels(shown, data), [len(part) for part in places.values()])
            found[name] = {label: part.numpy() for label, part in zip(places, parts, strict=True) if len(part)}
    return [Row(label, found["views"].get(label), found["held_out"].get(label)) for label in labels]


def _places(split: Split, label: int, many: int) -> Tensor:
    """Return the places of some images of a class, evenly among all: (M,)"""
    members = (split.labels == label).nonzero().flatten()
    if len(members) <= many:
        return members
    return members[torch.linspace(0, len(members) - 1, many).round().long()]


def pixels(images: Tensor, data: Data) -> Tensor:
    """Return images as they are seen: (M, 3, S, S) normalised -> (M, S, S, 3) uint8"""
    mean, std = (torch.tensor(values)[:, None, None] for values in (data.mean, data.std))
    return (255 * (images * std + mean)).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def sizes(data: Data, most: int = MEASURED) -> list[tuple[int, int]] | None:
    """Return width and height of some training images as they are on disk; None of images in memory."""
    split = data.train if len(data.train) else data.test
    if not isinstance(split, Folder):
        return None
    places = torch.linspace(0, len(split) - 1, min(most, len(split))).round().long().tolist()
    return [rgb(split.paths[i], str(split.paths[i]), split.decoding).size for i in places]


def sizes_in_words(measured: Sequence[tuple[int, int]]) -> str:
    """Return the smallest, the middle and the largest of some sizes."""
    ranked = sorted(measured, key=lambda size: (size[0] * size[1], size))
    low, middle, high = (ranked[i] for i in (0, len(ranked) // 2, -1))
    if low == high:
        return f"{low[0]}x{low[1]} pixels"
    return f"{low[0]}x{low[1]} to {high[0]}x{high[1]} pixels, {middle[0]}x{middle[1]} in the middle"

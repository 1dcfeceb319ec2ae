"""Images that a data set holds more than once: the same file, the same pixels in any format, or nearly the same."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..data import Data, Folder, InMemory
from .thumbnails import GRID, Thumbnails, digest_of_file, digests_of, digests_of_files, of_files, of_pixels

Kind = Literal["same file", "same pixels", "look alike"]
KINDS: tuple[Kind, ...] = ("same file", "same pixels", "look alike")
_COARSE = 4  # a grid of so many places on a side finds candidates
_NEAR = 8.0  # grey levels at each place of that grid between candidates
_NEIGHBOURS = 8  # candidates that are compared for each image
_ALIKE, _OF_CONTRAST = 3.0, 0.1  # mean difference between images that look alike: grey levels, share of their contrast


@dataclass(frozen=True)
class Image:
    """An image of a data set; its name is empty if it came without one."""

    split: str
    place: int
    label: int
    name: str

    def __str__(self) -> str:
        return self.name or f"{self.split} image {self.place}"


@dataclass(frozen=True)
class Pair:
    """An image, and one before it that it is a duplicate of; training images come first."""

    kind: Kind
    image: Image
    other: Image

    @property
    def where(self) -> str:
        """Return "test in training", or "within test"."""
        one, other = self.image.split, self.other.split
        return f"within {one}" if one == other else f"{one} in {other}"


@dataclass(frozen=True)
class Duplicates:
    """All pairs that were found.

    Args:
        compared: Images whose pixels were compared; fewer than all if the time was up.
        broken: Images that turned out to be broken, and a sentence about each.
    """

    pairs: tuple[Pair, ...]
    images: int
    compared: int
    broken: tuple[tuple[Image, str], ...] = ()

    def counts(self) -> dict[str, dict[Kind, int]]:
        """Return how many pairs of each kind there are, by where they are."""
        found: dict[str, dict[Kind, int]] = {}
        for pair in self.pairs:
            kinds = found.setdefault(pair.where, dict.fromkeys(KINDS, 0))
            kinds[pair.kind] += 1
        return found

    @property
    def across(self) -> list[Pair]:
        """Pairs of a held-out and a training image, without those that only look alike."""
        return [
            pair
            for pair in self.pairs
            if pair.kind != "look alike" and pair.image.split != "training" and pair.other.split == "training"
        ]

    @property
    def leaked(self) -> int:
        """The number of held-out images that are training images as well, without those that only look alike."""
        return len({pair.image for pair in self.across})

    @property
    def in_two_classes(self) -> list[Pair]:
        """Pairs with two labels, without those that only look alike."""
        return [pair for pair in self.pairs if pair.kind != "look alike" and pair.image.label != pair.other.label]


def duplicates(data: Data, seconds: float = 15.0) -> Duplicates:
    """Compare all images of all splits with each other.

    Args:
        seconds: Time for decoding images on disk, the held-out ones first; the bytes of files are always compared.
    """
    until = time.perf_counter() + seconds
    splits = {"training": data.train, "validation": data.validation, "test": data.test}
    known = {name: split for name, split in splits.items() if split is not None}
    images = [
        Image(name, place, label, str(split.paths[place]) if isinstance(split, Folder) else "")
        for name, split in known.items()
        for place, label in enumerate(split.labels.tolist())
    ]
    folders = [split for split in known.values() if isinstance(split, Folder)]
    if len(folders) == len(known):
        return _in_files(images, folders, until)
    in_memory = [split for split in known.values() if isinstance(split, InMemory)]
    if len(in_memory) == len(known):
        pixels = torch.cat([split.images.cpu() for split in in_memory])
        first, pairs = _grouped(images, digests_of(pixels), "same pixels")
        thumbnails = of_pixels(pixels)
        pairs += _alike(images, thumbnails, _neighbours(thumbnails), first)
        return Duplicates(tuple(pairs), len(images), len(images))
    return Duplicates((), len(images), 0)  # splits of the user's own


def _in_files(images: Sequence[Image], folders: Sequence[Folder], until: float) -> Duplicates:
    sources = [path for folder in folders for path in folder.paths]
    known = [digest.tobytes() for folder in folders for digest in folder.digests]
    if len(known) < len(sources):
        known = [digest_of_file(source) for source in sources]
    different, pairs = _grouped(images, dict(enumerate(known)), "same file")
    order = sorted(different, key=lambda place: (images[place].split == "training", place))
    decoding = folders[0].decoding
    thumbnails = of_files([sources[place] for place in order], order, decoding, until)
    near = _neighbours(thumbnails)
    asked = thumbnails.places[np.unique(near)].tolist()
    digests = digests_of_files([sources[place] for place in asked], asked, decoding, until)
    first, more = _grouped(images, digests, "same pixels")
    seen = {*thumbnails.places.tolist()} - (digests.keys() - first)
    pairs += [*more, *_alike(images, thumbnails, near, seen)]
    late = len(order) - len(thumbnails.places) - len(thumbnails.broken) + len(asked) - len(digests)
    broken = tuple((images[place], why) for place, why in thumbnails.broken.items())
    return Duplicates(tuple(pairs), len(images), len(images) - late, broken)


def _grouped(images: Sequence[Image], digests: Mapping[int, bytes], kind: Kind) -> tuple[Set[int], list[Pair]]:
    """Return the first image with each digest, by position, and a pair for each of the others."""
    first: dict[bytes, int] = {}
    pairs = []
    for place in sorted(digests):
        other = first.setdefault(digests[place], place)
        if other != place:
            pairs.append(Pair(kind, images[place], images[other]))
    return set(first.values()), pairs


def _neighbours(thumbnails: Thumbnails) -> NDArray[np.int64]:
    """Return pairs of rows of images that may look alike, each in both orders: (P, 2)"""
    count = len(thumbnails.places)
    if count < 2:
        return np.empty((0, 2), np.int64)
    from scipy.spatial import cKDTree  # which takes a second

    step = GRID // _COARSE
    coarse = thumbnails.grey.reshape(count, _COARSE, step, _COARSE, step).mean((2, 4)).reshape(count, -1)
    many = min(_NEIGHBOURS + 1, count)
    _, found = cKDTree(coarse).query(coarse, many, p=np.inf, distance_upper_bound=_NEAR, workers=-1)
    rows, columns = np.nonzero((found < count) & (found != np.arange(count)[:, None]))
    pairs: NDArray[np.int64] = np.stack([rows, found[rows, columns]], 1)
    return np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)


def _alike(images: Sequence[Image], thumbnails: Thumbnails, near: NDArray[np.int64], among: Set[int]) -> list[Pair]:
    """Return a pair for each image that looks like one before it, of those at the positions `among`.

    Args:
        near: As from `_neighbours`.
    """
    grey, places = thumbnails.grey, thumbnails.places
    rows, others = near.T
    allowed = np.isin(places, [*among])
    keep = (places[others] < places[rows]) & allowed[rows] & allowed[others]
    rows, others = rows[keep], others[keep]
    differences = np.abs(grey[rows] - grey[others]).mean(1)
    contrast = np.abs(grey[rows] - grey[rows].mean(1, keepdims=True)).mean(1)
    best: dict[int, tuple[float, int]] = {}
    for i in np.flatnonzero(differences <= np.minimum(_ALIKE, _OF_CONTRAST * contrast)).tolist():
        candidate = (float(differences[i]), int(places[others[i]]))
        place = int(places[rows[i]])
        best[place] = min(best.get(place, candidate), candidate)
    return [Pair("look alike", images[place], images[other]) for place, (_, other) in sorted(best.items())]

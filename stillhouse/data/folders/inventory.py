"""Words for what a folder holds, for notes and refusals."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

from ...spelling import counted
from .tree import Tree

_NAMED = 4  # names in a sentence, at most
# Forms of data sets that are not class folders, by the suffix of their files.
_FORMS = {
    ".parquet": "parquet files",
    ".gz": "archives",
    ".tgz": "archives",
    ".zip": "zip archives",
    ".rar": "archives",
    ".7z": "archives",
    ".tfrecord": "TFRecord files",
    ".rec": "RecordIO files",
    ".lmdb": "LMDB files",
    ".mdb": "LMDB files",
    ".h5": "HDF5 files",
    ".hdf5": "HDF5 files",
    ".npy": "NumPy files",
    ".npz": "NumPy files",
    ".mat": "MATLAB files",
}


def some(names: Sequence[str], most: int = _NAMED) -> str:
    """Return "a, b and c", or "a, b, c, d and 6 more"."""
    shown = list(names[:most]) + ([f"{len(names) - most} more"] if len(names) > most else [])
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def by_suffix(files: Counter[str]) -> str:
    """Return "20 .txt and 2 without a suffix"."""
    words = [f"{count:,} {suffix or 'without a suffix'}" for suffix, count in files.most_common()]
    return some(words, 6)


def contents(tree: Tree, folder: str) -> str:
    """Return what a folder holds: "6 images, the folders docs (2 images) and src (no images) and labels.csv"."""
    listing = tree.listing(folder)
    parts = [counted(own, "image")] if (own := tree.own_images(folder)) else []
    inner = [f"{name} ({_images(tree, os.path.join(folder, name))})" for name in sorted(listing.folders)]
    parts += [f"the {'folders' if len(inner) > 1 else 'folder'} {some(inner)}"] if inner else []
    parts += [listing_of(listing.others, listing.examples)] if listing.others else []
    return some(parts) if parts else "nothing"


def listing_of(others: Counter[str], examples: Sequence[str]) -> str:
    """Return the names of files if they are few, otherwise how many there are of each suffix."""
    return some(examples) if others.total() <= _NAMED else f"files ({by_suffix(others)})"


def other_forms(tree: Tree, folder: str) -> list[str]:
    """Return what the files in a folder and those right below look like that are not images, such as "zip archives"."""
    places = [folder, *(os.path.join(folder, name) for name in tree.listing(folder).folders[:20])]
    found = {suffix for place in places for suffix in tree.listing(place).others}
    return sorted({words for suffix, words in _FORMS.items() if suffix in found})


def _images(tree: Tree, folder: str) -> str:
    if count := tree.count(folder):
        inner = tree.folders(folder)
        return counted(count, "image") + (f" in {some(inner, 2)}" if inner else "")
    suffixes = Counter[str]()
    for listing in tree.below(folder):
        suffixes += listing.others
    return f"no images, {by_suffix(suffixes)}" if suffixes else "no images"

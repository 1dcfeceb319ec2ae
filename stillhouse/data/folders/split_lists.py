"""Finds lists that say which images are for training and testing, as train.txt: they are not read, and that is said."""

from __future__ import annotations

import os
import re

from ..splits import split_of
from .inventory import some
from .tree import Tree, look_at

_SUFFIXES = {".txt", ".csv", ".tsv", ".json", ".jsonl", ".lst"}
_KINDS = {"list", "lists", "split", "splits", "file", "files", "image", "images", "img", "imgs", "name", "names", "ids"}


def split_lists(tree: Tree, root: str, place: str) -> list[str]:
    """Return a note about such lists beside class folders that lie in `place`, at `root` or below; none if none are.

    They are looked for from `root` down to `place`, and in folders without images there.
    """
    above = [place]
    while above[-1] != root and len(above[-1]) > len(root):
        above.append(os.path.dirname(above[-1]))
    inner = [os.path.join(folder, name) for folder in above for name in tree.listing(folder).folders]
    folders = [*reversed(above), *(folder for folder in inner if not tree.has_images(folder))]
    found = [
        os.path.relpath(os.path.join(folder, name), root)
        for folder in folders
        for name in sorted(entry.name for entry in look_at(folder))
        if _tells_splits(name)
    ]
    if not found:
        return []
    verb = "is" if len(found) == 1 else "are"
    return [
        f"{some(found)} {verb} not read: to train and test on the images named there, sort them into train/CLASS and "
        "test/CLASS, or write a table with the columns file_name, label and split"
    ]


def _tells_splits(name: str) -> bool:
    """Return True for the name of a file that is called after splits and nothing else: "train_test_split.txt"."""
    stem, suffix = os.path.splitext(name)
    words = [word.rstrip("0123456789") for word in re.split(r"[\W_]+", stem.casefold())]
    splits = [word for word in words if split_of(word) is not None]
    return suffix.lower() in _SUFFIXES and bool(splits) and set(words) <= {*splits, *_KINDS, ""}

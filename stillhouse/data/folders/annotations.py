"""Classes of unsorted images from a text file beside them, as in Tiny ImageNet's val/val_annotations.txt."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from .tree import Found, Tree

_SUFFIXES = (".txt", ".csv", ".tsv")
_LARGEST = 1 << 26  # bytes of a text file
_BETWEEN = re.compile(r"\t|,|;|\s+")


def annotated(tree: Tree, folder: str, classes: Sequence[str]) -> tuple[list[tuple[Found, int]], str] | None:
    """Return the images below a folder with the positions of their classes, and the name of the file that tells them.

    A line of that file begins with the name of an image, or its path, and the name of its class, with a tab, comma or
    blank between them. None if no file there tells the class of every image.
    """
    images = tree.images(folder) if os.path.isdir(folder) else []
    if not images:
        return None
    known = {name: label for label, name in enumerate(classes)}
    for name in sorted(os.listdir(folder)):
        path = Path(folder, name)
        if path.suffix.lower() in _SUFFIXES and path.is_file() and 0 < path.stat().st_size <= _LARGEST:
            labels = _read(path, known)
            found = [labels.get(image.name, labels.get(os.path.basename(image.name))) for image in images]
            whole = [(image, label) for image, label in zip(images, found, strict=True) if label is not None]
            if len(whole) == len(images):
                return whole, name
    return None


def _read(path: Path, classes: dict[str, int]) -> dict[str, int]:
    """Return the position of the class of each image that the lines name."""
    labels: dict[str, int] = {}
    for line in path.read_text(errors="surrogateescape").splitlines():
        words = [word.strip().strip('"') for word in _BETWEEN.split(line.strip())]
        if len(words) > 1 and words[1] in classes:
            labels[words[0]] = classes[words[1]]
    return labels

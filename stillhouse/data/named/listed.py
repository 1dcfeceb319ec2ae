"""Images on disk whose split and class are told by lists, as most published data sets have them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import torch

from ...spelling import counted
from ..folders.inventory import some
from ..folders.tree import SUFFIXES
from ..image_files import Files
from ..splits import name_keys

_LARGEST = 1 << 26  # bytes of a list

Images = Sequence[tuple[str, int]]  # names below the folder of images, and the positions of their classes


def lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the words of each line of a text file that is not blank.

    Raises:
        ValueError: If it is no text file, or too large.
    """
    if not path.is_file():
        raise ValueError(f"{path} is missing or not a file: unpack the archive again")
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes, more than such a list ever has: get it again")
    for number, line in enumerate(path.read_text(errors="surrogateescape").splitlines(), 1):
        if words := line.split():
            yield number, words


def table(path: Path, columns: int) -> Iterator[list[str]]:
    """Yield the words of each line of a list with that many columns."""
    for number, words in lines(path):
        if len(words) < columns:
            raise ValueError(f"{path}, line {number}, holds {len(words)} of {columns} values: unpack the archive again")
        yield words


def whole(word: str, path: Path, low: int, high: int) -> int:
    """Return a number of a list, which must lie between two others."""
    if word.isascii() and word.isdecimal() and len(word) < 10 and low <= int(word) <= high:
        return int(word)
    raise ValueError(
        f"{path} holds {word[:40]!r} where a number from {low} to {high} belongs: unpack the archive again"
    )


def listed(
    name: str,
    root: Path,
    images: Path,
    classes: Sequence[str],
    lists: str,
    *,
    train: Images,
    test: Images,
    validation: Images | None = None,
) -> Files:
    """Return the images that lists name, in their order.

    An image that is not there is refused later, or left out and counted, as one that cannot be read. Images that lie
    beside them and are not named are counted in a note.

    Args:
        name: Name of the data set.
        root: Its folder.
        images: The folder that the names of images begin in.
        lists: The names of the lists, for messages.

    Raises:
        ValueError: If a name leads out of the folder, or a list is empty.
    """
    parts = (train, validation or (), test)
    for split, part in (("training", train), ("validation", validation), ("test", test)):
        if part is not None and not part:
            raise ValueError(f"{root}: {lists} name no {split} images: unpack the archive again")
    for word in (word for part in parts for word, _ in part):
        if os.path.isabs(word) or ".." in PurePosixPath(word).parts or "\0" in word:
            raise ValueError(f"{root}: {lists} name {word!r}, which leads out of the folder: get the data set again")
    paths = [tuple(images / word for word, _ in part) for part in parts]
    labels = [torch.tensor([label for _, label in part], dtype=torch.int64) for part in parts]
    everything = [path for part in paths for path in part]
    if doubled := len(everything) - len(set(everything)):
        raise ValueError(f"{root}: {lists} name {counted(doubled, 'image')} twice: get the data set again")
    chosen = ", validation set validation" if validation else ""
    return Files(
        root=root,
        called=name,
        source=f"{root}; test set test{chosen}, as {lists} say",
        classes=tuple(classes),
        train=paths[0],
        train_labels=labels[0],
        train_keys=name_keys([word for word, _ in train]),
        validation=paths[1],
        validation_labels=labels[1],
        test=paths[2],
        test_labels=labels[2],
        notes=tuple(_unlisted(everything, lists)),
    )


def _unlisted(known: Sequence[Path], lists: str) -> list[str]:
    """Return a note about images that lie beside those that are named."""
    by_folder: dict[str, set[str]] = {}
    for path in known:
        by_folder.setdefault(str(path.parent), set()).add(path.name)
    others = [
        name
        for folder, names in sorted(by_folder.items())
        if os.path.isdir(folder)
        for name in os.listdir(folder)
        if name not in names and not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES
    ]
    return (
        [f"left out {counted(len(others), 'image')} that {lists} do not name: {some(sorted(others))}"] if others else []
    )

"""The images of a data set as files: looked into before the first step, the broken ones named all at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ..spelling import counted
from .contents import Content, examine
from .dataset import Channels
from .decode import Source
from .folders.inventory import some
from .folders.trained_on import sample
from .options import LoadOptions

_LISTED = 50  # files that cannot be read, in a sentence


@dataclass(frozen=True)
class Files:
    """Images with their labels.

    Their contents are there after `look_into`.
    """

    root: Path
    source: str
    classes: tuple[str, ...]
    train: tuple[Source, ...]
    train_labels: Tensor  # (N,) int64
    train_keys: Tensor  # (N,) int64, hashes of the names, see `splits.name_keys`
    test: tuple[Source, ...]
    test_labels: Tensor  # (M,) int64
    validation: tuple[Source, ...]
    validation_labels: Tensor  # (V,) int64
    problems: tuple[tuple[Source, str], ...] = ()  # files that are known to be broken, and a sentence about each
    notes: tuple[str, ...] = ()
    contents: tuple[Content, ...] = ()  # of `paths`
    skipped: int = 0  # images that were left out because they cannot be read
    called: str = ""  # name of the data set; empty: that of the folder
    statistics: tuple[Channels, Channels] | None = None  # published mean and deviation, for images in memory
    is_split: bool = True  # otherwise all are training images, until `held_out.settle` draws a test set of them

    @property
    def data_name(self) -> str:
        """Return the name of the data set."""
        return self.called or self.root.name

    @property
    def paths(self) -> tuple[Source, ...]:
        """All images: training, validation, test."""
        return (*self.train, *self.validation, *self.test)

    @property
    def sample(self) -> tuple[str, ...]:
        """Digests by which the images that a network is trained on, or chosen by, are recognised."""
        return sample(self.contents[: len(self.train) + len(self.validation)])

    def name(self, path: Source) -> str:
        """Return the path below the root, or the place in a file below the root."""
        return str(path).replace(f"{self.root}{os.sep}", "").removeprefix("the image in ")


def look_into(files: Files, options: LoadOptions, cache: Path | None = None) -> Files:
    """Read every file once, and return the files with the contents of the images.

    Args:
        options: `skip_broken` leaves out images that cannot be read; it is also read how to decode.
        cache: See `examine`.

    Raises:
        ValueError: If images cannot be read and they are not to be left out; the sentence names them.
    """
    broken = dict(files.problems)
    whole = [path for path in files.paths if path not in broken]
    contents = dict(zip(whole, examine(whole, cache, options.decoding, options.say), strict=True))
    broken |= {path: content.problem for path, content in contents.items() if content.problem}
    files = without(files, broken, options.skip_broken)
    return replace(files, contents=tuple(contents[path] for path in files.paths))


def without(files: Files, broken: Mapping[Source, str], skip_broken: bool) -> Files:
    """Leave out images that cannot be read.

    Args:
        broken: A sentence about each of them.

    Raises:
        ValueError: If they are not to be left out; the sentence names them.
    """
    if not broken:
        return files
    if not skip_broken:
        raise ValueError(_refusal(files, broken))

    def kept(paths: Sequence[Source]) -> Tensor:
        return torch.tensor([i for i, path in enumerate(paths) if path not in broken], dtype=torch.int64)

    train, validation, test = kept(files.train), kept(files.validation), kept(files.test)
    lost = set(files.train_labels.tolist()) - set(files.train_labels[train].tolist())
    if lost:
        names = some([files.classes[label] for label in sorted(lost)])
        raise ValueError(f"{files.root}: no training image of {names} can be read: replace them, or remove the class")
    if files.is_split and len(test) == 0:
        raise ValueError(f"{files.root}: no test image can be read: replace them")
    names = some([files.name(path) for path in broken])
    said = f"left out {len(broken):,} of {len(files.paths):,} images, which cannot be read: {names}"
    return replace(
        files,
        notes=(*files.notes, said),
        skipped=files.skipped + len(broken),
        train=take(files.train, train),
        train_labels=files.train_labels[train],
        train_keys=files.train_keys[train],
        validation=take(files.validation, validation),
        validation_labels=files.validation_labels[validation],
        test=take(files.test, test),
        test_labels=files.test_labels[test],
    )


def _refusal(files: Files, broken: Mapping[Source, str]) -> str:
    if len(broken) == 1:
        return f"{next(iter(broken.values()))}, or leave it out with --skip_broken true"
    reasons = [f"{files.name(path)} ({_reason(path, problem)})" for path, problem in broken.items()]
    return (
        f"{len(broken):,} of {len(files.paths):,} images in {files.root} cannot be read: {some(reasons, _LISTED)}; "
        "replace or delete them, or leave them out with --skip_broken true"
    )


def _reason(path: Source, problem: str) -> str:
    """Return what is wrong, without the path before it and the remedy after it."""
    reason = problem.removeprefix(f"{path} ").removeprefix("cannot be read as an image").removeprefix("cannot be read")
    reason = reason.removesuffix(": replace or delete it").removesuffix("; replace or delete it")
    return reason.removeprefix(": ").removeprefix(" (").removesuffix(")")


def take(paths: Sequence[Source], where: Tensor) -> tuple[Source, ...]:
    """Return the paths at these positions, (K,)."""
    return tuple(paths[i] for i in where.tolist())


def duplicates(files: Files) -> list[str]:
    """Return notes about images that are the same file, byte for byte, in different splits or classes."""
    notes, first = [], dict[bytes, tuple[str, int, Source]]()
    labels = torch.cat([files.train_labels, files.validation_labels, files.test_labels]).tolist()
    splits = ["training"] * len(files.train) + ["validation"] * len(files.validation) + ["test"] * len(files.test)
    twice: dict[tuple[str, str], list[str]] = {}
    torn = []
    for content, label, split, path in zip(files.contents, labels, splits, files.paths, strict=True):
        other_split, other_label, other = first.setdefault(content.digest, (split, label, path))
        if other_split != split:
            twice.setdefault((split, other_split), []).append(f"{files.name(path)} is {files.name(other)}")
        if other_label != label:
            torn.append(f"{files.name(path)} is {files.name(other)}")
    for (split, other_split), pairs in twice.items():
        total = len(files.test) if split == "test" else len(files.validation)
        notes.append(
            f"{len(pairs):,} of {total:,} {split} images are {other_split} images as well, byte for byte "
            f"({some(pairs, 2)}): what is measured on them says little"
        )
    if torn:
        notes.append(f"{counted(len(torn), 'image')} in two classes, byte for byte ({some(torn, 2)})")
    return notes


def alike(classes: Sequence[str]) -> list[str]:
    """Return a note about classes whose names differ only in case or surrounding blanks, and may be one."""
    groups: dict[str, list[str]] = {}
    for name in classes:
        groups.setdefault(name.strip().casefold(), []).append(repr(name))
    several = [some(names) for names in groups.values() if len(names) > 1]
    if not several:
        return []
    which = "; ".join(several[:3]) + (f"; and {counted(len(several) - 3, 'other group')}" if several[3:] else "")
    return [
        f"class names that differ only in case or surrounding blanks stay different classes: {which}; if they are "
        "one class, put their images together"
    ]

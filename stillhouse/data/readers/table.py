"""Rows of a data set as a reader found them, and what is made of them: images with their classes, split by split.

One rule with class folders: train on "train", choose by the validation images and measure on the test images, and where
only one of the two has labels, measure on it; without either about 20 % of each class are held out as the test set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ..decode import Source, content_of
from ..folders.inventory import some
from ..image_files import Files
from ..splits import SplitName, choose_held_out, name_keys
from .labels import NO_CLASS, Label, Labels, classes_of


@dataclass
class Rows:
    """The images of one split and their labels as they are written, see `labels.plain`."""

    images: list[Source] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)

    def add(self, image: Source, label: Label) -> None:
        self.images.append(image)
        self.labels.append(label)


@dataclass
class Table:
    """A data set as a reader found it."""

    root: Path  # a folder
    kind: str  # of its files, in the plural: "parquet files"
    where: str  # for messages: the folder, or the file that was named
    splits: dict[SplitName, Rows] = field(default_factory=dict)
    label_column: str = ""
    names: tuple[str, ...] = ()  # of the classes in their order, where the files tell
    notes: list[str] = field(default_factory=list)

    def each_file(self, by_split: Mapping[SplitName, Sequence[Path]]) -> Iterator[tuple[Path, Rows]]:
        """Yield each file with the rows of its split, which its images are to be added to."""
        for split, paths in by_split.items():
            rows = self.splits.setdefault(split, Rows())
            for path in paths:
                yield path, rows


@dataclass(frozen=True)
class _Part:
    images: list[Source]
    labels: Tensor  # (N,) int64


def files_of(table: Table, test_only: bool) -> Files:
    """Return the images with numbered classes, and which of them are for what.

    Args:
        test_only: Do not ask for training images.

    Raises:
        ValueError: If labels make no classes, or a split is missing.
    """
    labels = classes_of({split: rows.labels for split, rows in table.splits.items()}, table.names, table.where)
    parts, notes = _labelled(table, labels)
    train, test, validation, source, is_split = _roles(table, parts, test_only)
    empty = _Part([], torch.empty(0, dtype=torch.int64))
    train, test, validation = train or empty, test or empty, validation or empty
    return Files(
        root=table.root,
        source=source,
        classes=labels.classes,
        train=tuple(train.images),
        train_labels=train.labels,
        train_keys=_keys(train.images, table.root),
        test=tuple(test.images),
        test_labels=test.labels,
        validation=tuple(validation.images),
        validation_labels=validation.labels,
        notes=(*table.notes, *labels.notes, *notes),
        is_split=is_split,
    )


def _labelled(table: Table, labels: Labels) -> tuple[dict[SplitName, _Part], list[str]]:
    """Leave out images without labels, and splits that have none."""
    parts, notes = dict[SplitName, _Part](), []
    for split, rows in table.splits.items():
        numbers = torch.tensor(labels.by_split[split], dtype=torch.int64)
        kept = (numbers != NO_CLASS).nonzero().flatten()
        if len(kept):
            parts[split] = _Part([rows.images[i] for i in kept.tolist()], numbers[kept])
        else:
            why = f"its {len(rows.images):,} images have no labels" if rows.images else "it holds no images"
            notes.append(f"{split} is not used: {why}")
    return parts, notes


def _roles(
    table: Table, parts: dict[SplitName, _Part], test_only: bool
) -> tuple[_Part | None, _Part | None, _Part | None, str, bool]:
    """Return what to train on, to measure on and to choose by, that in words, and False for data without splits."""
    test, validation = choose_held_out(parts)
    train = parts.get("train")
    if test is not None:
        if train is None and not test_only:
            raise ValueError(
                f"{table.where} holds {table.kind} for {some(list(parts))} but none for train: add them; to measure a "
                "trained network on these images use stillhouse evaluate"
            )
        names = choose_held_out({split: split for split in parts})
        chosen = f", validation set {names[1]}" if names[1] else ""
        return train, test, validation, f"{table.where}; test set {names[0]}{chosen}", True
    return train, None, None, table.where, False


def _keys(images: Sequence[Source], root: Path) -> Tensor:
    """(N,) int64, of the names of files; of images in tables, of what they contain."""
    return name_keys([_name(image, root) for image in images])


def _name(image: Source, root: Path) -> str:
    if isinstance(image, Path):
        return (image.relative_to(root) if image.is_relative_to(root) else image).as_posix()
    return hashlib.blake2b(content_of(image), digest_size=16).hexdigest()

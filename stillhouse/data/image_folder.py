"""Finds the images of a data set in class folders: train/CLASS/*.jpg and val/CLASS/*.jpg, or just CLASS/*.jpg."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .arrays import MAX_SIZE, Arrays
from .dataset import Data, data_info, held_out_in_words, stratified
from .decode import Decoding, header, rgb
from .on_disk import Folder
from .options import DEFAULTS, LoadOptions

TEST_NAMES = ("val", "valid", "validation", "test")
SUFFIXES = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"))
TEST_FRACTION = 0.2  # of each class, where the folder has no test set
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Files:
    """The images of a folder, not yet opened."""

    root: Path
    source: str
    train: tuple[Path, ...]
    train_labels: Tensor  # (N,) int64
    test: tuple[Path, ...]
    test_labels: Tensor  # (M,) int64
    classes: tuple[str, ...]


def find(root: Path) -> Files:
    """Labels are the positions of the class folders' names in alphabetical order.

    Without a test folder the same seeded 20 % of each class are held out as the test set in every run.
    """
    train_folder = root / "train"
    if not train_folder.is_dir():
        paths, labels, classes = _scan(root)
        kept, held_out = stratified(labels, TEST_FRACTION, seed=0)
        return Files(
            root=root,
            source=f"{root}; {TEST_FRACTION:.0%} of each class held out as the test set",
            train=tuple(paths[i] for i in kept.tolist()),
            train_labels=labels[kept],
            test=tuple(paths[i] for i in held_out.tolist()),
            test_labels=labels[held_out],
            classes=classes,
        )
    test_folder = next((root / name for name in TEST_NAMES if (root / name).is_dir()), None)
    if test_folder is None:
        raise ValueError(
            f"{root} has a folder train but no test set (val, valid, validation or test). Add one, or pass "
            f"{train_folder} itself: then {TEST_FRACTION:.0%} of each class are held out as the test set."
        )
    train, train_labels, classes = _scan(train_folder)
    test, test_labels, test_classes = _scan(test_folder)
    if classes != test_classes:
        only_train = ", ".join(sorted(set(classes) - set(test_classes))[:5]) or "none"
        only_test = ", ".join(sorted(set(test_classes) - set(classes))[:5]) or "none"
        raise ValueError(
            f"{train_folder} and {test_folder} must hold the same class folders. Only in {train_folder.name}: "
            f"{only_train}. Only in {test_folder.name}: {only_test}."
        )
    source = f"{root}; test set {test_folder.name}"
    return Files(root, source, train, train_labels, test, test_labels, classes)


def small_size(files: Files) -> int | None:
    """The side of the images if all are square, of one size and small enough for memory, otherwise None.

    Only headers are read, and none after the first image that differs.
    """
    side = None
    for path in (*files.train, *files.test):
        seen = header(path, str(path))
        width, height = seen.width, seen.height
        if width != height or width > MAX_SIZE or side not in (None, width):
            return None
        side = width
    return side


def decoded(files: Files, size: int, decoding: Decoding) -> Arrays:
    """All images, each of `size` x `size` pixels, in memory; normalisation measured on them."""
    return Arrays(
        name=files.root.name,
        source=files.source,
        train_images=_decode(files.train, size, decoding),
        train_labels=files.train_labels,
        test_images=_decode(files.test, size, decoding),
        test_labels=files.test_labels,
        classes=files.classes,
    )


def from_files(files: Files, options: LoadOptions = DEFAULTS) -> Data:
    """Split images that stay on disk, 224x224 unless told, normalised as ImageNet: most teachers were trained so."""
    once = options.but(strong_view=False)

    def split(paths: Sequence[Path], labels: Tensor, options: LoadOptions) -> Folder:
        return Folder(paths, labels, options, mean=IMAGENET_MEAN, std=IMAGENET_STD)

    paths, labels, source, held_out = files.train, files.train_labels, files.source, None
    if options.validation:
        kept, taken = stratified(labels, options.validation, options.split_seed)
        held_out = split([paths[i] for i in taken.tolist()], labels[taken], once)
        paths, labels = tuple(paths[i] for i in kept.tolist()), labels[kept]
        source += held_out_in_words(options)
    train = split(paths, labels, options)
    return Data(
        name=files.root.name,
        train=train,
        test=split(files.test, files.test_labels, once),
        validation=held_out,
        info=data_info(len(files.classes), train.size, labels, options),
        classes=files.classes,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        fingerprint=_fingerprint(options.decoding, files.root, (*paths, *files.test)),
        source=source,
    )


def _scan(folder: Path) -> tuple[tuple[Path, ...], Tensor, tuple[str, ...]]:
    """Image paths, their labels (N,) and the class names; images may lie in subfolders of the class folder"""
    places = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if len(places) < 2:
        raise ValueError(
            f"{folder} needs a folder of images for each class, at least two, as in {folder / 'cat'}/1.jpg; it holds "
            f"{len(places)} folder{'s' if len(places) != 1 else ''}."
        )
    paths, labels = [], []
    for label, place in enumerate(places):
        found = sorted(
            Path(parent, name)
            for parent, _, names in os.walk(place, followlinks=True)
            for name in names
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")
        )
        if not found:
            raise ValueError(
                f"The class folder {place} holds no images ({', '.join(sorted(SUFFIXES))}): add some or remove it."
            )
        paths += found
        labels += [label] * len(found)
    return tuple(paths), torch.tensor(labels), tuple(place.name for place in places)


def _decode(paths: Sequence[Path], size: int, decoding: Decoding) -> Tensor:
    images = torch.empty(len(paths), size, size, 3, dtype=torch.uint8)
    for image, path in zip(images, paths, strict=True):
        image.copy_(torch.from_numpy(np.array(rgb(path, str(path), decoding))))
    return images


def _fingerprint(decoding: Decoding, root: Path, paths: Sequence[Path]) -> str:
    digest = hashlib.blake2b(decoding.rules().encode(), digest_size=16)
    for path in paths:
        digest.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\n".encode())
    return digest.hexdigest()

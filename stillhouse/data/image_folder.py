"""Images in class folders: train/CLASS/*.jpg with val/CLASS/*.jpg or test/CLASS/*.jpg, or just CLASS/*.jpg."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from .dataset import Data, check_own_validation, data_info, digest_classes
from .decode import Source
from .folders.classes import Labelled, Selection, select
from .folders.inventory import some
from .folders.layout import Layout, recognise
from .folders.split_lists import split_lists
from .folders.tree import Tree
from .held_out import divide
from .image_files import Files, take
from .on_disk import Folder
from .options import DEFAULTS, LoadOptions
from .splits import TEST_FRACTION, choose_held_out, name_keys

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BY_NAME = f"about {TEST_FRACTION:.0%} of each class"


def find(root: Path, test_only: bool = False) -> Files:
    """Find the images of a data set; labels are the positions of the class folders' names in alphabetical order.

    The test set of a folder without splits is drawn later, see `held_out.settle`. With validation and test folders the
    best epoch is chosen on the first and the result measured on the second; one of the two alone is the test set.

    Args:
        test_only: Do not ask for training images.

    Raises:
        ValueError: If the folder is organised in a way that is not read; the sentence says what it holds.
    """
    tree = Tree()
    layout = recognise(tree, str(root))
    chosen = select(tree, layout)
    notes = [f"{layout.parts[split].name} is not used: it holds {held}" for split, held in chosen.unlabelled.items()]
    place = str(root) if layout.place == str(root) else f"{root}, read in {os.path.relpath(layout.place, root)}"
    if not layout.has_splits:
        lists = split_lists(tree, str(root), layout.place)
        return replace(_files(root, place, chosen, chosen.parts["train"], [], notes=lists), is_split=False)
    test, validation = choose_held_out(chosen.parts)
    if test is None:
        raise ValueError(_no_test_set(layout, chosen))
    if "train" not in chosen.parts and not test_only:
        names = some([part.name for part in layout.parts.values()])
        raise ValueError(
            f"{layout.place} holds {names} but no training images: add train/CLASS/*.jpg; to measure a trained network "
            "on these images use stillhouse evaluate"
        )
    source = f"{place}; {_roles(layout, chosen)}"
    return _files(root, source, chosen, chosen.parts.get("train", []), test, validation, notes)


def _files(
    root: Path,
    source: str,
    chosen: Selection,
    train: Labelled,
    test: Labelled,
    validation: Labelled | None = None,
    notes: Sequence[str] = (),
) -> Files:
    parts = (train, test, validation or [])
    paths = [tuple(Path(image.path) for image, _ in part) for part in parts]
    labels = [torch.tensor([label for _, label in part], dtype=torch.int64) for part in parts]
    return Files(
        root=root,
        source=source,
        classes=chosen.classes,
        train=paths[0],
        train_labels=labels[0],
        test=paths[1],
        test_labels=labels[1],
        validation=paths[2],
        validation_labels=labels[2],
        train_keys=_keys(chosen.classes, train),
        problems=tuple(
            (Path(image.path), f"{image.path} {image.problem}") for part in parts for image, _ in part if image.problem
        ),
        notes=(*chosen.notes, *notes),
    )


def _keys(classes: Sequence[str], images: Labelled) -> Tensor:
    return name_keys([f"{classes[label]}/{image.name}" for image, label in images])


def _roles(layout: Layout, chosen: Selection) -> str:
    """Return which folder is measured on, and which one is chosen by, if any."""
    test, validation = choose_held_out({split: layout.parts[split].name for split in chosen.parts})
    return f"test set {test}" + (f", validation set {validation}" if validation else "")


def _no_test_set(layout: Layout, chosen: Selection) -> str:
    """Return why a folder with a training set alone is refused."""
    train = os.path.join(layout.place, layout.parts["train"].name)
    way_out = f"or pass {train} itself: then {_BY_NAME} are held out as the test set"
    for split, held in chosen.unlabelled.items():
        place = os.path.join(layout.place, layout.parts[split].name)
        return (
            f"{place} cannot be measured on, because it holds {held}: sort images into the class folders of "
            f"{layout.parts['train'].name} there, {way_out}"
        )
    return f"{layout.place} has a folder {layout.parts['train'].name} but no test set (val or test): add one, {way_out}"


def from_files(files: Files, options: LoadOptions = DEFAULTS) -> Data:
    """Split images that stay on disk, 224x224 and normalised as ImageNet unless told: most teachers were trained so."""
    once = options.but(strong_view=False)

    mean, std = options.mean or IMAGENET_MEAN, options.std or IMAGENET_STD

    def split(paths: Sequence[Source], labels: Tensor, digests: Sequence[bytes], options: LoadOptions) -> Folder:
        return Folder(paths, labels, options, mean=mean, std=std, digests=digests)

    check_own_validation(bool(files.validation), options)
    paths, labels = files.train, files.train_labels
    digests = [content.digest for content in files.contents]
    own, others = digests[: len(paths)], digests[len(paths) :]
    many = len(files.validation)
    validation = split(files.validation, files.validation_labels, others[:many], once) if many else None
    parts = divide(labels, options, files.train_keys)
    if parts.validation is not None:
        chosen = [own[i] for i in parts.validation.tolist()]
        validation = split(take(paths, parts.validation), labels[parts.validation], chosen, once)
    if parts.words:
        own = [own[i] for i in parts.train.tolist()]
        paths, labels = take(paths, parts.train), labels[parts.train]
    train = split(paths, labels, own, options)
    return Data(
        name=files.data_name,
        train=train,
        test=split(files.test, files.test_labels, others[many:], once),
        validation=validation,
        info=data_info(len(files.classes), train.size, labels, options),
        classes=files.classes,
        mean=mean,
        std=std,
        fingerprint=_fingerprint(files, options, own + others, labels),
        source=files.source + parts.words,
        notes=files.notes,
        skipped=files.skipped,
        sample=files.sample,
        train_fraction=options.train_fraction,
    )


def _fingerprint(files: Files, options: LoadOptions, digests: Sequence[bytes], train_labels: Tensor) -> str:
    """Return a digest of all that the data are: classes, contents of the images and how they are decoded, labels."""
    labels = [split.tolist() for split in (train_labels, files.validation_labels, files.test_labels)]
    words = [digest_classes(files.classes), options.decoding.rules().encode(), *digests, str(labels).encode()]
    return hashlib.blake2b(b"".join(words), digest_size=16).hexdigest()

"""Refusals of folders that are organised in no way that is read: what was found, what is read, and what would work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NoReturn

from ..splits import SplitName, split_of
from .inventory import contents, other_forms, some
from .tree import Tree

WHAT_IS_READ = (
    "stillhouse reads class folders without splits (CLASS/*.jpg) or with (train/CLASS/*.jpg and val/CLASS/*.jpg or "
    "test/CLASS/*.jpg), parquet, arrow and webdataset files (train-*.parquet and test-*.parquet), images with a table "
    "of their classes (labels.csv) and CIFAR's archives"
)
_PURPOSES: dict[SplitName, str] = {"train": "training", "validation": "validation", "test": "testing"}
_PICTURES = {"images", "image", "imgs", "img", "jpegimages", "pictures", "photos", "input", "inputs"}
_MASKS = {"masks", "mask", "labels", "label", "annotations", "annotation", "segmentation", "segmentations", "gt"}
_MASKS |= {"segmentationclass", "segmentationobject"}


def refuse_other_forms(tree: Tree, folder: str) -> NoReturn:
    """Refuse a folder with fewer than two class folders."""
    refuse_missing_folders(tree, folder)
    raise ValueError(f"{folder} holds {contents(tree, folder)}{_hint(tree, folder)}; {WHAT_IS_READ}")


def refuse_missing_folders(tree: Tree, place: str) -> None:
    """Refuse links that lead nowhere where folders of splits or classes lie: each may be one. Do nothing for others."""
    for name, problem in tree.listing(place).broken.items():
        if not os.path.splitext(name)[1]:
            raise ValueError(f"{os.path.join(place, name)} {problem}")


def _hint(tree: Tree, folder: str) -> str:
    folders, forms = tree.folders(folder), other_forms(tree, folder)
    if len(folders) == 1:
        return f": that is one class ({folders[0]}), and at least two are needed"
    if tree.own_images(folder):
        return in_their_names(tree, folder) or ", and no class folders"
    return f": {some(forms)} are not read (unpack or convert them)" if forms else ""


def in_their_names(tree: Tree, folder: str) -> str:
    """Return a remedy where the classes of images seem to be in their file names, as in cat.0.jpg; otherwise ""."""
    words = [name.split(".")[0].rstrip("0123456789_- ") for name in tree.listing(folder).images]
    classes = sorted({word for word in words if word})
    if not 2 <= len(classes) <= min(100, len(words) // 2) or "" in words:
        return ""
    first = f"mkdir {os.path.join(folder, classes[0])} && mv {os.path.join(folder, classes[0])}[0-9._-]*.* "
    return (
        f"; the classes seem to be in the file names ({some(classes)}): move the images into a folder for each, as in "
        f"{first}{os.path.join(folder, classes[0])}"
    )


def refuse_train_among_classes(tree: Tree, folder: str, train: str, others: Sequence[str]) -> NoReturn:
    """Refuse train/CLASS beside folders that are neither a test set nor empty."""
    raise ValueError(
        f"{folder} holds {train}, with folders in it ({some(tree.folders(os.path.join(folder, train)))}), beside "
        f"{some(others)}: if {train} is the training set, pass {os.path.join(folder, train)} itself, or add a test set "
        f"({os.path.join(folder, 'test')}/CLASS); if it is a class like the others, rename it"
    )


def refuse_split_among_classes(tree: Tree, folder: str, held_out: Sequence[str], others: Sequence[str]) -> NoReturn:
    """Refuse a test set beside what may be the classes of a training set."""
    name = held_out[0]
    inside = tree.folders(os.path.join(folder, name))
    found = f"folders ({some(inside)})" if inside else f"{tree.count(os.path.join(folder, name)):,} images"
    raise ValueError(
        f"{folder} holds {name}, with {found}, beside {some(others)}: if {name} is a test set, move the classes of the "
        f"training set into a folder train (cd {folder} && mkdir train && mv {' '.join(others[:3])}"
        f"{' ...' if len(others) > 3 else ''} train)"
        + ("" if inside else f" and sort its images into class folders, or, if they have no labels, move {name} away")
        + f"; if {name} is a class like the others, rename it"
    )


def refuse_two_of_a_split(folder: str, split: SplitName, names: Sequence[str]) -> NoReturn:
    """Refuse two folders that both look like the same split."""
    raise ValueError(
        f"{folder} holds {some(names)}, which {'both' if len(names) == 2 else 'all'} look like images for "
        f"{_PURPOSES[split]}: leave one of them there, and move the others away or into it"
    )


def refuse_split_and_class_names(folder: str, names: Sequence[str]) -> NoReturn:
    """Refuse folders such as cat_train, cat_test, dog_train and dog_test."""
    raise ValueError(
        f"{folder} holds {some(names)}: they look like parts for training and testing, not like classes; move them to "
        f"train/CLASS and test/CLASS, or rename them if they are classes"
    )


def refuse_mixed_classes(tree: Tree, folder: str, with_splits: Sequence[str], without: Sequence[str]) -> NoReturn:
    """Refuse class folders of which some hold train and test folders and some do not."""
    inside = some(tree.folders(os.path.join(folder, with_splits[0])))
    if not without:
        raise ValueError(
            f"{folder} holds one class folder ({with_splits[0]}, with {inside}), and at least two classes are needed"
        )
    raise ValueError(
        f"{os.path.join(folder, with_splits[0])} holds {inside}, but {os.path.join(folder, without[0])} holds "
        f"{contents(tree, os.path.join(folder, without[0]))}: give all class folders the same splits and nothing else, "
        "or none; better still, use train/CLASS and test/CLASS"
    )


def refuse_nested_splits(tree: Tree, folder: str) -> None:
    """Refuse a folder with several folders of which one holds train and test; do nothing for others."""
    names = tree.folders(folder)
    for name in names:
        place = os.path.join(folder, name)
        inner = tree.folders(place)
        while len(inner) == 1 and not tree.own_images(within := os.path.join(place, inner[0])):
            place, inner = within, tree.folders(within)
        splits = [one for one in inner if split_of(one) and tree.folders(os.path.join(place, one))]
        if len({split_of(one) for one in splits}) > 1:
            others = [f"{one} ({tree.count(os.path.join(folder, one)):,} images)" for one in names if one != name]
            raise ValueError(
                f"{folder} holds {name}, with the splits {some(splits)} in it, beside {some(others)}: pass {place}"
            )


def refuse_pictures_with_masks(tree: Tree, folder: str) -> None:
    """Refuse images/ beside masks/, which are not classes; do nothing for others."""
    names = {name.lower(): name for name in tree.folders(folder)}
    pictures, masks = _PICTURES.intersection(names), _MASKS.intersection(names)
    if pictures and masks and len(names) == len(pictures) + len(masks):
        found = sorted([names[name] for name in pictures | masks])
        raise ValueError(
            f"{folder} holds {some(found)}: they look like images and what belongs to them, not like classes (rename "
            f"them if they are); {WHAT_IS_READ}"
        )

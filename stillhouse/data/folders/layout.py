"""Recognises how a folder of images is organised: which folders in it are splits, and which are classes.

Read are SPLIT/CLASS/*.jpg, CLASS/*.jpg and CLASS/SPLIT/*.jpg, each also inside wrapper folders, as archives have them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ...spelling import counted
from ..splits import SPLITS, SplitName, split_of, split_within
from .inventory import some
from .refusals import (
    refuse_mixed_classes,
    refuse_nested_splits,
    refuse_other_forms,
    refuse_pictures_with_masks,
    refuse_split_among_classes,
    refuse_split_and_class_names,
    refuse_train_among_classes,
    refuse_two_of_a_split,
)
from .tree import Tree

_DEPTH = 8  # wrapper folders, at most


@dataclass(frozen=True)
class Part:
    """A split, or a whole data set without splits."""

    name: str  # of its folder
    folders: Mapping[str, str]  # name of each class folder -> its path; empty if the images lie in none


@dataclass
class Layout:
    """The organisation of a folder of images."""

    place: str  # the folder that holds the splits or classes, inside its wrappers
    parts: dict[SplitName, Part] = field(default_factory=dict)
    has_splits: bool = True  # otherwise all images are in the part "train"
    notes: list[str] = field(default_factory=list)


def recognise(tree: Tree, folder: str, depth: int = _DEPTH) -> Layout:
    """Return which folders are splits and classes.

    Raises:
        ValueError: If the folder is organised in no way that is read; the sentence says what it holds.
    """
    folders = tree.folders(folder)
    refuse_pictures_with_masks(tree, folder)
    layout = _splits(tree, folder) or _prefixed_splits(tree, folder) or _splits_in_classes(tree, folder)
    if layout is not None:
        return layout
    if len(folders) == 1 and depth and _is_wrapper(tree, inner := os.path.join(folder, folders[0])):
        layout = recognise(tree, inner, depth - 1)
        layout.notes += strays(tree, folder, folders)
        return layout
    if len(folders) < 2:
        refuse_other_forms(tree, folder)
    refuse_nested_splits(tree, folder)
    whole = Part(os.path.basename(folder), _paths(folder, tree.listing(folder).folders))
    layout = Layout(folder, {"train": whole}, has_splits=False)
    layout.notes += strays(tree, folder, folders)
    layout.notes += [
        f"the folder {name} counts as a class, because it holds images itself and lies beside "
        f"{some([other for other in folders if other != name])}"
        for name in folders
        if split_of(name) is not None
    ]
    return layout


def strays(tree: Tree, folder: str, used: Sequence[str]) -> list[str]:
    """Return notes about images in a folder that lie in none of the folders that are used of it."""
    notes = []
    if own := tree.own_images(folder):
        notes.append(f"left out {counted(own, 'image')} in {folder} itself, outside the class folders")
    for name in tree.folders(folder):
        if name not in used:
            count = tree.count(os.path.join(folder, name))
            notes.append(f"left out the folder {name} beside {some(sorted(used))} ({counted(count, 'image')})")
    return notes


def _splits(tree: Tree, folder: str) -> Layout | None:
    """Return the layout of train/CLASS and test/CLASS; None if `folder` does not hold splits."""
    filled = [name for name in tree.folders(folder) if split_of(name)]
    train = [name for name in filled if split_of(name) == "train"]
    held_out = [name for name in tree.listing(folder).folders if split_of(name) in ("validation", "test")]
    others = [name for name in tree.folders(folder) if name not in filled]
    if not filled:
        return None
    of_classes = [name for name in train if _holds_classes(tree, folder, name)]
    if of_classes and (held_out or not any(tree.own_images(os.path.join(folder, name)) for name in of_classes)):
        if others and not held_out:
            refuse_train_among_classes(tree, folder, train[0], others)
    elif others:
        if set(filled) & set(held_out):
            refuse_split_among_classes(tree, folder, [name for name in held_out if name in filled], others)
        return None  # a class that is called train
    layout, named = Layout(folder), dict[SplitName, list[str]]()
    for name in sorted({*filled, *held_out}):
        split = split_of(name)
        assert split is not None
        named.setdefault(split, []).append(name)
    for split in sorted(named, key=SPLITS.index):
        full = [name for name in named[split] if name in filled] or named[split][:1]
        if len(full) > 1:
            refuse_two_of_a_split(folder, split, full)
        layout.parts[split] = _part(tree, folder, full[0], layout.notes, _classes(layout))
    layout.notes += strays(tree, folder, filled)
    return layout


def _prefixed_splits(tree: Tree, folder: str) -> Layout | None:
    """Return the layout of PREFIX_train/CLASS and PREFIX_test/CLASS."""
    prefixed = {name: within for name in tree.folders(folder) if (within := split_within(name))}
    found: dict[str, dict[SplitName, str]] = {}
    for name, (rest, split) in prefixed.items():
        found.setdefault(rest, {})[split] = name
    paired = {rest: names for rest, names in found.items() if "train" in names and len(names) > 1}
    if not paired:
        return None
    names = next(iter(paired.values()))
    if len(found) > 1 or not all(_holds_classes(tree, folder, name) for name in names.values()):
        refuse_split_and_class_names(folder, sorted(names.values()))
    layout = Layout(folder)
    for split in sorted(names, key=SPLITS.index):
        layout.parts[split] = _part(tree, folder, names[split], layout.notes, _classes(layout))
    layout.notes += strays(tree, folder, list(names.values()))
    return layout


def _splits_in_classes(tree: Tree, folder: str) -> Layout | None:
    """Return the layout of CLASS/train and CLASS/test."""
    folders = tree.folders(folder)
    inner = {name: tree.folders(os.path.join(folder, name)) for name in folders}
    splits = {name: {split_of(one) for one in ones} for name, ones in inner.items()}
    paired = [name for name in folders if "train" in splits[name] and splits[name] & {"validation", "test"}]
    paths = _paths(folder, folders)
    if not paired or not all(tree.own_images(os.path.join(paths[name], one)) for name in paired for one in inner[name]):
        return None
    mixed = [name for name in folders if None in splits[name] or not inner[name] or tree.own_images(paths[name])]
    if mixed or len(folders) < 2:
        refuse_mixed_classes(tree, folder, paired, mixed)
    layout = Layout(folder)
    for split in SPLITS:
        found = {name: [one for one in inner[name] if split_of(one) == split] for name in folders}
        twice = next((name for name, full in found.items() if len(full) > 1), None)
        if twice is not None:
            refuse_two_of_a_split(paths[twice], split, found[twice])
        places = {name: os.path.join(paths[name], full[0]) for name, full in found.items() if full}
        if places:
            layout.parts[split] = Part(os.path.basename(next(iter(places.values()))), places)
    layout.notes.append(f"the class folders hold the splits {some([part.name for part in layout.parts.values()])}")
    layout.notes += strays(tree, folder, folders)
    return layout


def _part(tree: Tree, folder: str, name: str, notes: list[str], known: Collection[str] = ()) -> Part:
    """Return the classes of a split, looking through folders such as seg_train/seg_train.

    Args:
        known: Names of the classes, where another split has told them.
    """
    place = os.path.join(folder, name)
    inner = tree.folders(place)
    while len(inner) == 1 and inner[0] not in known and _is_wrapper(tree, within := os.path.join(place, inner[0])):
        notes += strays(tree, place, inner)
        place, inner = within, tree.folders(within)
    if not inner:
        return Part(name, {})
    refuse_pictures_with_masks(tree, place)
    notes += strays(tree, place, inner)
    return Part(name, _paths(place, tree.listing(place).folders))


def _classes(layout: Layout) -> Collection[str]:
    return next(iter(layout.parts.values())).folders if layout.parts else ()


def _is_wrapper(tree: Tree, folder: str) -> bool:
    """Return True for a folder's only folder if it is not a class itself; images beside folders in it are strays."""
    return not tree.own_images(folder) or len(tree.folders(folder)) > 1


def _holds_classes(tree: Tree, folder: str, name: str) -> bool:
    return bool(tree.folders(os.path.join(folder, name)))


def _paths(folder: str, names: Sequence[str]) -> dict[str, str]:
    return {name: os.path.join(folder, name) for name in names}

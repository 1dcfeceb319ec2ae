"""Assign images to classes: class folders of different splits are matched, and each real file counts once."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...spelling import counted
from ..splits import SplitName, split_of
from .annotations import annotated
from .inventory import by_suffix, contents, some
from .layout import Layout, Part
from .left_out import LeftOut
from .refusals import WHAT_IS_READ, in_their_names, refuse_missing_folders
from .tree import Found, Tree

# A folder beside class folders that holds nothing but such files describes the images, and is not a class.
_WORDS = {".txt", ".md", ".rst", ".pdf", ".html", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml"}
_WORDS |= {".py", ".ipynb", ".sh", ".log", ".cfg", ".ini", ".pt", ".pth", ".safetensors", ".onnx"}

_FEW = 10  # images

Labelled = list[tuple[Found, int]]  # images and the positions of their classes


@dataclass
class Selection:
    """The images of a folder by split and class."""

    classes: tuple[str, ...]  # in Unicode's composed form (NFC), in alphabetical order
    parts: dict[SplitName, Labelled]
    unlabelled: dict[SplitName, str]  # what splits without class folders hold, in words
    notes: list[str]


def select(tree: Tree, layout: Layout) -> Selection:
    """Return the images of each split that has class folders; the classes are those of the training images.

    Without training images they are those of the test images.

    Raises:
        ValueError: If a class is empty, or a split has other classes.
    """
    notes, unlabelled = list(layout.notes), dict[SplitName, str]()
    first = next(split for split in ("train", "test", "validation") if split in layout.parts)
    main = layout.parts[first]
    folders = {first: _class_folders(tree, layout.place, main, notes)}
    classes, unsorted = tuple(sorted(folders[first])), dict[SplitName, Labelled]()
    for split, part in layout.parts.items():
        place = os.path.join(layout.place, part.name)
        if split == first:
            continue
        if known := _same_classes(tree, part, main.name, classes, notes):
            folders[split] = known
        elif told := annotated(tree, place, classes):
            unsorted[split] = told[0]
            notes.append(f"{part.name}: the classes of its images are those in {told[1]}")
        else:
            held = f"{contents(tree, place)}, but no class folders" if tree.has_images(place) else "no images"
            unlabelled[split] = held
    left_out = LeftOut(layout.place)
    images = {split: _images(tree, classes, places, left_out) for split, places in folders.items()} | unsorted
    above = {os.path.dirname(path) for places in folders.values() for path in places.values()}
    for place in sorted({layout.place, *above}):
        refuse_missing_folders(tree, place)
        left_out.look(tree.listing(place), is_class=False)
    notes += left_out.notes()
    if links := _leave_out_links(images):
        notes.append(f"left out {counted(links, 'link')} to images that are read elsewhere in this folder")
    notes += _inner(classes, [one for found in images.values() for one in found])
    notes += _few(classes, images[first])
    for split, found in images.items():
        notes += _missing(classes, found, folders.get(split, {}), layout.parts[split].name, is_first=split == first)
    return Selection(classes, images, unlabelled, notes)


def normal(name: str) -> str:
    """Return the name of a class as it is compared: in Unicode's composed form, whichever way the disk has it."""
    return unicodedata.normalize("NFC", name)


def _class_folders(tree: Tree, place: str, part: Part, notes: list[str]) -> dict[str, str]:
    """Return class -> folder of the split that has the classes."""
    if not part.folders:
        raise ValueError(without_classes(tree, os.path.join(place, part.name)))
    classes: dict[str, str] = {}
    for name, path in part.folders.items():
        if not tree.has_images(path):
            others = Counter[str]()
            for listing in tree.below(path):
                others += listing.others
            if not others or set(others) - _WORDS:
                held = f", but {contents(tree, path)}" if others else ""
                raise ValueError(f"the class folder {path} holds no images{held}: add some, or remove the folder")
            notes.append(f"the folder {name} is not a class: it holds no images ({by_suffix(others)})")
        elif normal(name) in classes:
            raise ValueError(
                f"{classes[normal(name)]} and {path} have the same name, written with different Unicode characters: "
                "put their images into one of them"
            )
        else:
            classes[normal(name)] = path
    if len(classes) < 2:
        ((name, path),) = classes.items()
        raise ValueError(
            f"{os.path.dirname(path)} holds one class folder ({name}), and at least two classes are needed; "
            f"{WHAT_IS_READ}"
        )
    return classes


def _same_classes(tree: Tree, part: Part, main: str, classes: Sequence[str], notes: list[str]) -> dict[str, str] | None:
    """Return class -> folder of another split; None if its images are not in class folders.

    Args:
        main: The name of the split that the classes are from.
    """
    any_case = {name.casefold(): name for name in classes}
    if len(any_case) < len(classes):
        any_case = {}
    folders: dict[str, str] = {}
    unknown, renamed = [], []
    for name, path in part.folders.items():
        if not tree.has_images(path):
            continue
        known = normal(name) if normal(name) in classes else any_case.get(normal(name).casefold())
        if known is None:
            unknown.append(name)
        elif known in folders:
            raise ValueError(f"{folders[known]} and {path} are both folders of the class {known}: put them together")
        else:
            folders[known] = path
            renamed += [f"{name} for {known}"] if normal(name) != known else []
    if not folders and len(unknown) < 2:
        return None
    if unknown:
        missing = sorted(set(classes) - set(folders))
        raise ValueError(
            f"{main} and {part.name} must hold the same class folders: only in {main}: {some(missing) or 'none'}; only "
            f"in {part.name}: {some(unknown)}; rename, add or remove folders"
        )
    if renamed:
        notes.append(
            f"folders of {part.name} differ only in case from those of {main} and are read as the same: {some(renamed)}"
        )
    return folders


def _images(tree: Tree, classes: Sequence[str], folders: Mapping[str, str], left_out: LeftOut) -> Labelled:
    found: Labelled = []
    for label, name in enumerate(classes):
        if name in folders:
            left_out.look_below(tree, folders[name])
            found += [(image, label) for image in tree.images(folders[name])]
    return found


def _leave_out_links(parts: dict[SplitName, Labelled]) -> int:
    """Drop links to images that are read where they are, and second links to one image; return how many.

    An image outside the folder may be linked to from several splits and classes: that is said when contents are
    compared.
    """
    own = {image.real for images in parts.values() for image, _ in images if image.path == image.real}
    dropped = 0
    for split, images in parts.items():
        kept, seen = [], set[tuple[str, int]]()
        for image, label in images:
            if image.path == image.real or (image.real not in own and (image.real, label) not in seen):
                kept.append((image, label))
            seen.add((image.real, label))
        dropped += len(images) - len(kept)
        parts[split] = kept
    return dropped


def _inner(classes: Sequence[str], images: Labelled) -> list[str]:
    """Return a note about images that lie in folders inside class folders, and may have been meant otherwise."""
    folders = Counter(
        f"{classes[label]}/{os.path.dirname(image.name)}" for image, label in images if os.sep in image.name
    )
    if not folders:
        return []
    where = some(sorted(folders), 3)
    deep = {split_of(name): name for folder in folders for name in folder.split("/")[1:] if split_of(name)}
    if len(deep) > 1:
        raise ValueError(
            f"folders called {some(sorted(deep.values()))} lie inside class folders ({where}), which would "
            "mix their images: use train/CLASS and test/CLASS, or pass the folder that holds them"
        )
    note = f"{counted(folders.total(), 'image')} in folders inside class folders count for the class ({where})"
    direct = {label for image, label in images if os.sep not in image.name}
    if not direct and len(folders) > len(classes):
        note += f"; the classes are {some(classes)}: if you mean those inside, move them up, or pass one of these"
    return [note]


def _few(classes: Sequence[str], images: Labelled) -> list[str]:
    """Return a note about one folder that may not be a class: it holds far fewer images than any other."""
    (least, label), (second, _) = sorted(
        (count, label) for label, count in Counter(label for _, label in images).items()
    )[:2]
    if least > _FEW or 20 * least > second:
        return []
    few = counted(least, "image")
    return [
        f"the class {classes[label]} has {few}, every other one at least {second:,}: if it is not a class, move it away"
    ]


def _missing(
    classes: Sequence[str], images: Labelled, folders: Mapping[str, str], split: str, is_first: bool
) -> list[str]:
    """Return a note about classes of which a split has no images; refuse that in the training set."""
    present = {label for _, label in images}
    absent = [name for label, name in enumerate(classes) if label not in present]
    if is_first and absent:
        raise ValueError(
            f"the class folder {folders[absent[0]]} holds only links to images that are read elsewhere: remove it"
        )
    which = f"{len(absent)} of the {len(classes)} classes ({some(absent)})"
    return [f"{split} has no images of {which}: they cannot be measured"] if absent else []


def without_classes(tree: Tree, place: str) -> str:
    """Return a sentence about a split that holds no class folders."""
    names = in_their_names(tree, place)
    return f"{place} holds {contents(tree, place)}, and no class folders{names}; {WHAT_IS_READ}"

"""Odd folders, read by stillhouse and, independently, by torchvision's ImageFolder and Pillow.

    python -m tests.data.odd_folders [how many] [first seed]

For each folder: what we read is what torchvision and Pillow read, or a note counts what differs, or a refusal says why.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torchvision.datasets import ImageFolder

from stillhouse.data import Data, Folder, InMemory, LoadOptions, Split, load
from stillhouse.data.decode import Source, rgb
from stillhouse.data.held_out import settle
from stillhouse.data.image_files import Files, look_into
from stillhouse.data.image_folder import find
from tests.helpers.odd_folders import MUST_BE_REFUSED, SUFFIXES, Maker, Odd
from tests.helpers.plain_pixels import plain

TOOLS = {"@eaDir", "__MACOSX", "thumbs"}
LOOP = "again"  # the name of links upwards
NO_CLASSES = {"__MACOSX", "labels"}  # folders beside the classes
NOTES = {  # what a note says if the folder has this
    "unread": "that cannot be read as images",
    "hidden": "hidden image",
    "tools": "in hidden folders and those of other programs",
    "inner": "in folders inside class folders",
    "file link": "to images that are read elsewhere",
    "loop": "links to a folder that contains them were not followed",
    "stray": "itself, outside the class folders",
    "extra": "left out the folder docs",
    "missing in test": "has no images of",
    "unlabelled test": "is not used: it holds 1 image",
    "case": "in case",
    "class called train": "counts as a class",
}
Reading = dict[str, set[str]]  # real file -> the classes that it is found in


def same(name: str) -> str:
    """Return the name of a class in the form in which names are compared here."""
    return unicodedata.normalize("NFC", name).casefold()


def theirs(odd: Odd) -> dict[str, Reading]:
    """Return what torchvision reads of each split; "all" where there are none, or they lie inside the classes."""
    places = {"train": odd.train, **odd.held_out} if odd.train else {"all": odd.base}
    found: dict[str, Reading] = {}
    for part, place in places.items():
        folder = ImageFolder(place, allow_empty=True, is_valid_file=is_read)
        for path, label in folder.samples:
            if LOOP in Path(path).parts:
                continue  # it follows links upwards; we do not, and say so
            found.setdefault(part, {}).setdefault(os.path.realpath(path), set()).add(same(folder.classes[label]))
    return found


def is_read(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in {suffix.lower() for suffix in SUFFIXES}


def found_files(odd: Odd) -> Files:
    return settle(look_into(find(odd.root), LoadOptions()), LoadOptions())


def splits(odd: Odd, data: Data) -> dict[str, tuple[Sequence[Source], Split]]:
    """Return the files of each split in its order, and the split."""
    files = found_files(odd)
    parts = {"train": files.train, "validation": files.validation, "test": files.test}
    loaded = {"train": data.train, "validation": data.validation, "test": data.test}
    return {part: (parts[part], split) for part, split in loaded.items() if split is not None}


def ours(odd: Odd, data: Data) -> dict[str, Reading]:
    """Return what stillhouse reads of each split."""
    found: dict[str, Reading] = {}
    for part, (paths, split) in splits(odd, data).items():
        assert len(paths) == len(split), f"{part}: {len(split)} images of {len(paths)} files"
        names = [same(data.classes[label]) for label in split.labels.tolist()]
        found[part] = {os.path.realpath(str(path)): {name} for path, name in zip(paths, names, strict=True)}
    return found


def leaks(odd: Odd, data: Data) -> list[str]:
    """Return images that are read twice, and copies of training images that are measured on and of which none is said.

    Copies are told by their bytes. Where the test set is drawn there are none, or nothing else could be held out.
    """
    places = {part: [os.path.realpath(str(path)) for path in paths] for part, (paths, _) in splits(odd, data).items()}
    times = Counter(path for paths in places.values() for path in paths)
    wrong = [f"{path} is read {count} times" for path, count in times.items() if count > 1]
    trained = {Path(path).read_bytes() for path in places.pop("train")}
    for part, paths in places.items():
        copies = sum(Path(path).read_bytes() in trained for path in paths)
        note = f"{copies} of {len(paths)} {part} images are training images as well"
        are_drawn = not (odd.train or odd.inside)
        if copies and (not said(data, note) or (are_drawn and copies < len(paths))):
            wrong.append(f"no note says {note!r}")
        wrong += [] if paths else [f"{part} is empty"]
    return wrong


def differences(odd: Odd, data: Data) -> list[str]:
    """Return what no note explains."""
    wrong = [f"no note says {NOTES[name]!r}" for name in odd.oddities & set(NOTES) if not said(data, NOTES[name])]
    we, they = ours(odd, data), theirs(odd)
    wrong += leaks(odd, data) + class_order(odd, data)
    if odd.inside:
        for part, word in zip(("train", "test"), odd.inside, strict=True):
            wrong += [
                f"{path} is in {part}"
                for path in we[part]
                if f"/{word}/" not in path and odd.root in Path(path).parents
            ]
    if not odd.train:
        we = {"all": {path: names for part in we.values() for path, names in part.items()}}
    if odd.train and "test" not in they:
        they["test"] = they.pop("validation")
    hidden = tools = 0
    for part in sorted({*we, *they}):
        mine, other = we.get(part, {}), they.get(part, {})
        wrong += [f"{part}: only we read {path}" for path in sorted(set(mine) - set(other))]
        wrong += [
            f"{part}: {path} is {mine[path]} and {other.get(path)}"
            for path in mine
            if not mine[path] <= other.get(path, set())
        ]
        for path in sorted(set(other) - set(mine)):
            parts = Path(path).relative_to(odd.root.parent).parts
            if any(name in TOOLS or name.startswith(".") for name in parts[:-1]):
                tools += 1
            elif parts[-1].startswith("."):
                hidden += 1
            else:
                wrong.append(f"{part}: we left out {path}")
    wrong += [f"{hidden} hidden images, {data.notes}"] if counted(data, "hidden image") != hidden else []
    unread = sum(1 for _ in odd.root.rglob("file[0-9]*"))
    wrong += [f"{unread} files are no images, {data.notes}"] if counted(data, NOTES["unread"]) != unread else []
    wrong += [f"{tools} images of tools, {data.notes}"] if counted(data, NOTES["tools"]) < tools else []
    return wrong + pixels(data, odd)


def class_order(odd: Odd, data: Data) -> list[str]:
    """Return a sentence if the classes are not numbered as torchvision numbers their folders."""
    folders = ImageFolder(odd.train or odd.base, allow_empty=True, is_valid_file=is_read).classes
    classes = sorted(unicodedata.normalize("NFC", name) for name in folders if name not in NO_CLASSES)
    return [] if classes == list(data.classes) else [f"the classes are {data.classes}, not {classes}"]


def said(data: Data, words: str) -> bool:
    return any(words in note for note in data.notes)


def counted(data: Data, words: str) -> int:
    """Return the number in the note with these words."""
    numbers = [re.search(r"left out ([\d,]+)", note) for note in data.notes if words in note]
    return sum(int(number[1].replace(",", "")) for number in numbers if number)


def pixels(data: Data, odd: Odd) -> list[str]:
    """Return the images of all splits whose pixels are not Pillow's."""
    wrong = []
    for part, (paths, split) in splits(odd, data).items():
        for index, path in enumerate(paths):
            if isinstance(split, InMemory):
                mine = split.images[index].numpy()
            else:
                assert isinstance(split, Folder)
                mine = np.asarray(rgb(split.paths[index], "", split.decoding))
            other = plain(str(path))
            if mine.shape != other.shape or np.abs(mine.astype(int) - other.astype(int)).max() > 1:
                wrong.append(f"{part}: the pixels of {path}")
    return wrong


def judge(seed: int, place: Path) -> tuple[str, Odd]:
    """Make a folder, read it twice, and return "equal", "equal, and notes" or "refused"; anything else is an error."""
    odd = Maker(place / "data", seed).make()
    must = {words for name in odd.oddities & set(MUST_BE_REFUSED) for words in MUST_BE_REFUSED[name]}
    try:
        data = load(odd.root, workers=0, download_to=place / "cache")
    except ValueError as error:
        return ("refused" if any(words in str(error) for words in must) else f"refused without need: {error}"), odd
    if must:
        return "read, although it cannot be: " + ", ".join(sorted(odd.oddities)), odd
    wrong = differences(odd, data)
    return "; ".join(wrong[:3]) or ("equal, and notes" if data.notes else "equal"), odd


def main(count: int, first: int) -> int:
    """Judge so many folders, print what is wrong and how many there are of each outcome, and return an exit code."""
    outcomes, met = Counter[str](), Counter[str]()
    for seed in range(first, first + count):
        place = Path(tempfile.mkdtemp())
        outcome, odd = judge(seed, place)
        shutil.rmtree(place)
        met.update(odd.oddities)
        right = outcome in ("equal", "equal, and notes", "refused")
        outcomes[outcome if right else "WRONG"] += 1
        if not right:
            print(f"{seed}: {outcome}\n    {sorted(odd.oddities)}")
    print(", ".join(f"{number} {outcome}" for outcome, number in outcomes.most_common()))
    print("met: " + ", ".join(f"{number} {name}" for name, number in met.most_common()))
    return 1 if outcomes["WRONG"] else 0


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(numbers + [300, 0][len(numbers) :])))

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
from pathlib import Path

import numpy as np
from PIL import Image
from torchvision.datasets import ImageFolder

from stillhouse.data import Data, Folder, InMemory, LoadOptions, load
from stillhouse.data.decode import rgb
from stillhouse.data.held_out import settle
from stillhouse.data.image_files import Files, look_into
from stillhouse.data.image_folder import find
from tests.helpers.odd_folders import MUST_BE_REFUSED, SUFFIXES, Maker, Odd

TOOLS = {"@eaDir", "__MACOSX", "thumbs"}
NOTES = {  # what a note says if the folder has this
    "unread": "that cannot be read as images",
    "hidden": "hidden image",
    "tools": "in hidden folders and those of other programs",
    "inner": "in folders inside class folders",
    "file link": "to images that are read in another place",
    "loop": "links to a folder that they lie in were not followed",
    "stray": "itself, in no class folder",
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
            above = Path(os.path.realpath(path)).parents
            if "loop" in odd.oddities and odd.root in above and place not in above:
                continue  # it follows links upwards, out of the split; we do not, and say so
            found.setdefault(part, {}).setdefault(os.path.realpath(path), set()).add(same(folder.classes[label]))
    return found


def is_read(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in {suffix.lower() for suffix in SUFFIXES}


def found_files(odd: Odd) -> Files:
    return settle(look_into(find(odd.root), LoadOptions()), LoadOptions())


def ours(odd: Odd, data: Data) -> dict[str, Reading]:
    """Return what stillhouse reads of each split."""
    files = found_files(odd)
    splits = {
        "train": (files.train, data.train),
        "validation": (files.validation, data.validation),
        "test": (files.test, data.test),
    }
    found: dict[str, Reading] = {}
    for part, (paths, split) in splits.items():
        if split is not None:
            assert len(paths) == len(split), f"{part}: {len(split)} images of {len(paths)} files"
            names = [same(data.classes[label]) for label in split.labels.tolist()]
            found[part] = {os.path.realpath(str(path)): {name} for path, name in zip(paths, names, strict=True)}
    return found


def differences(odd: Odd, data: Data) -> list[str]:
    """Return what no note explains."""
    wrong = [f"no note says {NOTES[name]!r}" for name in odd.oddities & set(NOTES) if not said(data, NOTES[name])]
    we, they = ours(odd, data), theirs(odd)
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
            elif parts[-1] != "logo.png":  # a stray, found by way of a loop
                wrong.append(f"{part}: we left out {path}")
    wrong += [f"{hidden} hidden images, {data.notes}"] if counted(data, "hidden image") != hidden else []
    wrong += [f"{tools} images of tools, {data.notes}"] if counted(data, NOTES["tools"]) < tools else []
    return wrong + pixels(data, odd)


def said(data: Data, words: str) -> bool:
    return any(words in note for note in data.notes)


def counted(data: Data, words: str) -> int:
    """Return the number in the note with these words."""
    numbers = [re.search(r"left out ([\d,]+)", note) for note in data.notes if words in note]
    return sum(int(number[1].replace(",", "")) for number in numbers if number)


def pixels(data: Data, odd: Odd) -> list[str]:
    """Return the images whose pixels are not Pillow's."""
    files = found_files(odd)
    wrong = []
    for index, path in enumerate(files.train):
        if isinstance(data.train, InMemory):
            mine = data.train.images[index].numpy()
        else:
            assert isinstance(data.train, Folder)
            mine = np.asarray(rgb(data.train.paths[index], ""))
        with Image.open(str(path)) as image:
            other = plain(image)
        if np.abs(mine.astype(int) - other.astype(int)).max() > 1:
            wrong.append(f"the pixels of {path}, {image.mode}")
    return wrong


def plain(image: Image.Image) -> np.ndarray:
    """Return (H, W, 3) uint8 as Pillow and NumPy have it: scaled from 16 bits, in front of white."""
    if image.mode.startswith("I"):
        grey = np.rint(np.asarray(image).astype(float) / 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        front = np.asarray(image.convert("RGBA")).astype(float)
        alpha = front[..., 3:] / 255
        return np.rint(front[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return np.asarray(image.convert("RGB"))


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

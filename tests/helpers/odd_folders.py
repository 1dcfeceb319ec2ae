"""Folders as odd as other people's, made from a seed: layout, names, suffixes, modes, links, hidden files, damage."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

TRAIN = [
    "train",
    "Training",
    "TRAIN",
    "train_set",
    "train-images",
    "trn",
]
VALIDATION = ["val", "valid", "Validation", "dev", "VAL_SET"]
TEST = ["test", "Testing", "test_set", "TEST"]
CLASSES = ["cat", "Dog", "10", "2", "01", "a.b", "two words", "caf\u00e9", "\u732b", "bullet_train", "test tube", "x_y"]
SUFFIXES = [".png", ".PNG", ".jpg", ".JPEG", ".jpeg", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".ppm", ".jp2", ".avif"]
UNREAD = [".txt", ".heic", "", ".npy", ".xml", ".db"]
MODES = ["RGB", "RGB", "RGB", "L", "RGBA", "P", "P with a hole", "1", "I;16", "LA", "CMYK"]
HELD_BY = {"RGBA": {".png", ".webp", ".tif"}, "LA": {".png"}, "P": {".png", ".gif"}, "1": {".png", ".bmp"}}
HELD_BY |= {"P with a hole": {".png", ".gif"}}
TURNED = {".jpg": 0.3, ".jpeg": 0.3, ".png": 0.1, ".webp": 0.1}  # share with an EXIF orientation
HELD_BY |= {"I;16": {".png", ".tif"}, "CMYK": {".jpg", ".jpeg", ".tif"}, "L": {".png", ".jpg", ".bmp", ".tif"}}
# Oddities, structure first; with the words of which one is in a refusal for it. Those without words must be read.
MUST_BE_REFUSED: dict[str, tuple[str, ...]] = {
    "truncated": ("cannot be read",),
    "empty file": ("cannot be read",),
    "dangling": ("which is missing",),
    "pipe": ("is a pipe",),
    "empty class": ("holds no images",),
    "new in test": ("same class folders",),
}
ODDITIES = (
    *("missing in test", "unlabelled test", "decomposed", "case", "class called train", "extra", "words", "unread"),
    *("hidden", "tools", "inner", "file link", "folder link", "loop", "stray", "copy"),
    *MUST_BE_REFUSED,
)


@dataclass
class Odd:
    """A folder, and what its maker knows of it."""

    root: Path
    base: Path  # holds the splits or classes, inside wrapper folders
    train: Path | None = None  # None: there are no splits, or they are inside the classes
    held_out: dict[str, Path] = field(default_factory=dict)  # "validation" and "test"
    inside: tuple[str, str] | None = None  # the splits CLASS/train and CLASS/val
    oddities: set[str] = field(default_factory=set)


class Maker:
    """Makes one folder; everything random follows from the seed."""

    def __init__(self, root: Path, seed: int):
        self.draw, self.noise = random.Random(seed), np.random.default_rng(seed)
        self.size = self.draw.choice([16, 16, 16, 70])
        self.odd = Odd(root, root.joinpath(*self.draw.choice([[], [], [], ["data"], ["archive", "images"]])))
        self.classes = self.draw.sample(CLASSES, self.draw.randint(2, 4))

    def image(self, path: Path, mode: str = "") -> None:
        suffix = path.suffix.lower()
        mode = mode or self.draw.choice(MODES)
        mode = mode if suffix in HELD_BY.get(mode, {suffix}) else "RGB"
        pixels = self.noise.integers(0, 256, (self.size, self.size, 4), dtype=np.uint8)
        made = Image.fromarray(pixels[..., :3])
        if mode == "I;16":
            made = Image.fromarray(self.noise.integers(0, 65536, (self.size, self.size), dtype=np.uint16))
        elif mode in ("RGBA", "LA"):
            made = Image.fromarray(pixels).convert(mode)
        elif mode != "RGB":
            made = made.quantize(16) if mode.startswith("P") else made.convert(mode)
        options: dict[str, object] = {"transparency": 3} if mode == "P with a hole" else {}
        if self.draw.random() < TURNED.get(suffix, 0):
            exif = Image.Exif()
            exif[0x0112] = self.draw.choice([3, 6, 8])
            options["exif"] = exif
        path.parent.mkdir(parents=True, exist_ok=True)
        made.save(path, "JPEG" if suffix == ".jfif" else None, **options)

    def classes_in(self, folder: Path, names: list[str]) -> None:
        for name in names:
            for number in range(self.draw.randint(3, 6)):
                self.image(folder / name / f"{number}{self.draw.choice(SUFFIXES)}")

    def make(self) -> Odd:
        """Write the folder and return what is known of it."""
        odd, draw = self.odd, self.draw
        layout = draw.choice(["splits", "splits", "three", "prefix", "flat", "flat", "class first"])
        if layout == "flat":
            self.classes_in(odd.base, self.classes)
        elif layout == "class first":
            odd.inside = (draw.choice(TRAIN), draw.choice(VALIDATION + TEST))
            for name in self.classes:
                self.classes_in(odd.base / name, list(odd.inside))
        else:
            words = {"train": draw.choice(TRAIN), "validation": draw.choice(VALIDATION), "test": draw.choice(TEST)}
            words = {"train": "seg_train", "test": "seg_test"} if layout == "prefix" else words
            if layout == "splits":
                del words[draw.choice(["validation", "test"])]
            odd.train = odd.base / words.pop("train")
            odd.held_out = {kind: odd.base / word for kind, word in words.items()}
            for place in (odd.train, *odd.held_out.values()):
                self.classes_in(place, self.classes)
        for name in [name for name in ODDITIES if draw.random() < (0.04 if name in MUST_BE_REFUSED else 0.15)]:
            if getattr(self, name.replace(" ", "_"))():
                odd.oddities.add(name)
        return odd

    def somewhere(self) -> Path:
        """Return a folder that holds images."""
        return self.draw.choice(sorted({path.parent for path in self.odd.root.rglob("0.*")}))

    def unread(self) -> bool:
        for number in range(self.draw.randint(1, 4)):
            (self.somewhere() / f"file{number}{self.draw.choice(UNREAD)}").write_text("x")
        return True

    def hidden(self) -> bool:
        place = self.somewhere()
        self.image(place / "._1.png")
        for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
            (place / name).write_text("x")
        return True

    def tools(self) -> bool:
        for name in self.draw.sample(["@eaDir", ".ipynb_checkpoints", "__MACOSX", ".thumbnails", "thumbs"], 2):
            self.image(self.somewhere() / name / "1.png")
        self.image(self.odd.base / "__MACOSX" / "cat" / "._1.png")
        return True

    def inner(self) -> bool:
        self.image(self.somewhere() / "more" / "deep" / "1.png")
        return True

    def file_link(self) -> bool:
        place = self.somewhere()
        target = next(iter(sorted(place.glob("0.*"))))
        os.symlink(target.name, place / f"link{target.suffix}")
        return True

    def loop(self) -> bool:
        os.symlink(self.draw.choice(["..", "../..", "."]), self.somewhere() / "again")
        return True

    def folder_link(self) -> bool:
        elsewhere = Path(tempfile.mkdtemp(dir=self.odd.root.parent))
        self.image(elsewhere / "1.png")
        os.symlink(elsewhere, self.somewhere() / "elsewhere")
        return True

    def stray(self) -> bool:
        self.image(self.odd.base / "logo.png")
        return True

    def extra(self) -> bool:
        if not self.odd.train:
            return False
        self.image(self.odd.base / "docs" / "1.png")
        return True

    def missing_in_test(self) -> bool:
        if not self.odd.held_out or len(self.classes) < 3:
            return False
        shutil.rmtree(list(self.odd.held_out.values())[-1] / self.classes[0])
        return True

    def decomposed(self) -> bool:
        return self.renamed("caf\u00e9", unicodedata.normalize("NFD", "caf\u00e9"))

    def case(self) -> bool:
        return self.renamed("Dog", "dog")

    def renamed(self, name: str, other: str) -> bool:
        """Rename a class of the held-out images."""
        for place in self.odd.held_out.values():
            if (place / name).is_dir():
                (place / name).rename(place / other)
                return True
        return False

    def words(self) -> bool:
        (self.odd.base / "labels").mkdir()
        (self.odd.base / "labels" / "1.txt").write_text("0 1 2")
        return True

    def copy(self) -> bool:
        for number in range(3):
            image = next(iter(sorted(self.somewhere().glob("0.*"))))
            shutil.copy(image, self.somewhere() / f"copy{number}{image.suffix}")
        return True

    def truncated(self) -> bool:
        for path in [next(iter(sorted(self.somewhere().glob("0.*")))) for _ in range(2)]:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        return True

    def empty_file(self) -> bool:
        (self.somewhere() / "empty.jpg").write_bytes(b"")
        return True

    def dangling(self) -> bool:
        os.symlink("/gone/1.jpg", self.somewhere() / "gone.jpg")
        return True

    def pipe(self) -> bool:
        os.mkfifo(self.somewhere() / "pipe.png")
        return True

    def empty_class(self) -> bool:
        if self.odd.inside:
            return False
        ((self.odd.train or self.odd.base) / "nothing").mkdir()
        return True

    def new_in_test(self) -> bool:
        for place in self.odd.held_out.values():
            self.image(place / "zebra" / "1.png")
        return bool(self.odd.held_out)

    def unlabelled_test(self) -> bool:
        if len(self.odd.held_out) != 2:
            return False
        place = self.odd.held_out.pop("test")
        self.odd.oddities.discard("missing in test")  # which was there
        shutil.rmtree(place)
        self.image(place / "1.png")
        return True

    def class_called_train(self) -> bool:
        if self.odd.train or self.odd.inside:
            return False
        self.classes_in(self.odd.base, ["train"])
        return True

"""Every named data set in its original layout, made small: a few images of a few classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.archives import photograph, tar


@dataclass(frozen=True)
class Layout:
    """A small copy of a data set.

    Args:
        write: Writes the unpacked data set into a folder, which it makes.
        pack: Packs that folder as its authors do, and returns the files.
    """

    write: Callable[[Path], object]
    pack: Callable[[Path, Path], Sequence[Path]]


def one_tar(name: str, *beside: str) -> Callable[[Path, Path], Sequence[Path]]:
    """Return a function that packs a folder, and what lies beside it, as one archive."""

    def pack(folder: Path, store: Path) -> Sequence[Path]:
        store.mkdir(parents=True, exist_ok=True)
        tar(folder.parent, store / name, folder.name, *beside)
        return [store / name]

    return pack


def write_cub(folder: Path, per_class: int = 4) -> None:
    """Two of three images of each class are for training, and the images are not in the order of their classes."""
    classes = ["001.Black_footed_Albatross", "002.Laysan_Albatross", "003.Sooty_Albatross"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "classes.txt").write_text("".join(f"{n} {name}\n" for n, name in enumerate(classes, 1)))
    lists = dict[str, list[str]](images=[], labels=[], split=[])
    for number in range(per_class * len(classes)):
        label = number % len(classes)
        name = f"{classes[label]}/Bird_{number:04d}.jpg"
        photograph(folder / "images" / name, number, colour=label)
        lists["images"].append(f"{number + 1} {name}\n")
        lists["labels"].append(f"{number + 1} {label + 1}\n")
        lists["split"].append(f"{number + 1} {int(number // len(classes) % 3 < 2)}\n")
    (folder / "images.txt").write_text("".join(lists["images"]))
    (folder / "image_class_labels.txt").write_text("".join(lists["labels"]))
    (folder / "train_test_split.txt").write_text("".join(lists["split"]))


LAYOUTS: dict[str, Layout] = {
    "cub200": Layout(write_cub, one_tar("CUB_200_2011.tgz")),
}

"""Oxford-IIIT Pet (Parkhi et al., CVPR 2012): photographs of 37 breeds of cats and dogs."""

from __future__ import annotations

from pathlib import Path

from ..image_files import Files
from .facts import Named, holds
from .fetch import Archive
from .listed import listed, table, whole

_CLASSES = 37
_URL = "https://www.robots.ox.ac.uk/~vgg/data/pets/"


def read(folder: Path) -> Files:
    """Read images/*.jpg with annotations/trainval.txt and test.txt.

    A line has the name of an image (the breed, an underscore and a number), its class from 1 on, its species and its
    number within the species. Classes are called after the breed, as "american_bulldog".
    """
    names = dict[int, str]()
    train, test = (_split(folder / "annotations" / name, names) for name in ("trainval.txt", "test.txt"))
    classes = [names.get(label, "") for label in range(max(names, default=0) + 1)]
    if not all(classes) or len(classes) < 2:
        lacking = [label + 1 for label, name in enumerate(classes) if not name]
        raise ValueError(f"{folder}: the lists name no images of class {lacking or 1}: unpack the archive again")
    return listed("pets", folder, folder / "images", classes, "trainval.txt and test.txt", train=train, test=test)


def _split(path: Path, names: dict[int, str]) -> list[tuple[str, int]]:
    """Return images with their classes, and add the names of classes to `names`."""
    found = list[tuple[str, int]]()
    for image, number, *_ in table(path, 4):
        if image.startswith("#"):
            continue
        label, breed = whole(number, path, 1, _CLASSES) - 1, image.rpartition("_")[0]
        if names.setdefault(label, breed) != breed:
            raise ValueError(f"{path}: class {number} is {names[label]} and {breed}: unpack the archive again")
        found.append((f"{image}.jpg", label))
    return found


PETS = Named(
    name="pets",
    title="Oxford-IIIT Pet (Parkhi et al., 2012)",
    images=(3680, 0, 3669),
    classes=_CLASSES,
    pixels="about 500",
    licence="CC BY-SA 4.0",
    page=_URL,
    read=read,
    is_in=holds("images", "annotations/trainval.txt", "annotations/test.txt"),
    folder="oxford-iiit-pet",
    archives=(
        Archive("images.tar.gz", f"{_URL}data/images.tar.gz", "md5:5c4f3ee8e5d25df40f4fd59a7f44e54c", 791_918_971),
        Archive(
            "annotations.tar.gz", f"{_URL}data/annotations.tar.gz", "md5:95a8c909bbe2e81eed6a22bccdf3f68f", 19_173_078
        ),
    ),
    unpacked=830_000_000,
    files=26_300,
    left_out="masks and boxes of heads",
)

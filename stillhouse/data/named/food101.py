"""Food-101 (Bossard et al., ECCV 2014): photographs of 101 dishes; the training images were not cleaned."""

from __future__ import annotations

import json
from pathlib import Path

from ..image_files import Files
from .facts import Named, holds
from .fetch import Archive
from .listed import listed

_LARGEST = 1 << 26  # bytes of a list


def read(folder: Path) -> Files:
    """Read a folder food-101; the classes are the names of its folders in alphabetical order."""
    lists = {split: _by_class(folder / "meta" / f"{split}.json") for split in ("train", "test")}
    classes = sorted(lists["train"])
    if classes != sorted(lists["test"]):
        raise ValueError(f"{folder}: train.json and test.json name other classes: unpack the archive again")
    label = {name: number for number, name in enumerate(classes)}
    train, test = (
        [(f"{image}.jpg", label[name]) for name, images in lists[split].items() for image in images]
        for split in ("train", "test")
    )
    return listed("food101", folder, folder / "images", classes, "train.json and test.json", train=train, test=test)


def _by_class(path: Path) -> dict[str, list[str]]:
    if not path.is_file() or path.stat().st_size > _LARGEST:
        raise ValueError(f"{path} is missing or not a list of images: unpack the archive again")
    try:
        found = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error}): unpack the archive again") from None
    is_right = isinstance(found, dict) and all(
        isinstance(images, list) and all(isinstance(image, str) for image in images) for images in found.values()
    )
    if not is_right:
        raise ValueError(f"{path} holds no lists of images by class: unpack the archive again")
    return dict(found)


FOOD101 = Named(
    name="food101",
    title="Food-101 (Bossard et al., 2014)",
    images=(75_750, 0, 25_250),
    classes=101,
    pixels="up to 512",
    licence="scientific fair use; the photographs are their owners'",
    page="https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/",
    read=read,
    is_in=holds("meta/train.json", "meta/test.json", "images"),
    folder="food-101",
    archives=(
        Archive(
            "food-101.tar.gz",
            "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz",
            "md5:85eeb15f3717b99a5da872d97d918f87",
            4_996_278_331,
        ),
    ),
    unpacked=5_060_000_000,
    files=101_200,
)

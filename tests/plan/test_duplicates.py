"""Planted duplicates are found, all of them and no others, in files of any format and in memory."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stillhouse.data import Data, load
from stillhouse.data.decode import PLAIN
from stillhouse.plan.duplicates import _NEIGHBOURS, _neighbours, duplicates
from stillhouse.plan.thumbnails import of_files
from tests.helpers.data import quick_data

ROTATED = 6  # EXIF: turned by a quarter


def photo(number: int, width: int = 96, height: int = 80) -> Image.Image:
    rng = np.random.default_rng(number)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split, first, many in (("train", 0, 8), ("val", 100, 4)):
        for label, name in enumerate(("ant", "bee")):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for number in range(many):
                photo(first + 1000 * label + number).save(folder / f"{number}.jpg", quality=90)
    return tmp_path / "photos"


def read(root: Path) -> Data:
    return load(root, image_size=64 + 8, workers=0)


def test_data_without_duplicates_have_none(root: Path) -> None:
    found = duplicates(read(root), math.inf)
    assert (found.pairs, found.images, found.compared, found.leaked) == ((), 24, 24, 0)


def test_every_planted_duplicate_is_found_by_its_kind(root: Path) -> None:
    train, val = root / "train", root / "val"
    shutil.copy(train / "ant" / "0.jpg", val / "ant" / "bytes.jpg")
    for kind in ("png", "bmp", "tif"):
        Image.open(train / "ant" / "1.jpg").save(val / "ant" / f"pixels.{kind}")
    exif = Image.Exif()
    exif[0x0112] = ROTATED
    with Image.open(train / "bee" / "2.jpg") as image:
        image.transpose(Image.Transpose.ROTATE_90).save(val / "bee" / "turned.png", exif=exif)
    Image.open(train / "bee" / "3.jpg").save(val / "bee" / "again.jpg", quality=50)
    Image.open(train / "bee" / "4.jpg").save(train / "ant" / "other_class.png")
    found = duplicates(read(root), math.inf)
    pairs = {(pair.kind, Path(pair.image.name).name, Path(pair.other.name).name) for pair in found.pairs}
    assert pairs == {
        ("same file", "bytes.jpg", "0.jpg"),
        ("same pixels", "pixels.png", "1.jpg"),
        ("same pixels", "pixels.bmp", "1.jpg"),
        ("same pixels", "pixels.tif", "1.jpg"),
        ("same pixels", "turned.png", "2.jpg"),
        ("look alike", "again.jpg", "3.jpg"),
        ("same pixels", "4.jpg", "other_class.png"),
    }
    assert found.counts() == {
        "test in training": {"same file": 1, "same pixels": 4, "look alike": 1},
        "within training": {"same file": 0, "same pixels": 1, "look alike": 0},
    }
    assert found.leaked == 5
    assert [Path(pair.image.name).name for pair in found.in_two_classes] == ["4.jpg"]


def test_a_file_that_breaks_only_when_it_is_decoded_is_named(root: Path) -> None:
    file = root / "train" / "ant" / "0.jpg"
    content = file.read_bytes()
    data = read(root)
    file.write_bytes(content[: len(content) // 2])
    ((image, why),) = duplicates(data, math.inf).broken
    assert (image.split, image.label) == ("training", 0)
    assert "0.jpg cannot be read as an image" in why


def test_images_in_memory_are_compared_by_their_pixels() -> None:
    data = quick_data()  # its test images are training images
    found = duplicates(data)
    assert found.counts() == {"test in training": {"same file": 0, "same pixels": 20, "look alike": 0}}
    assert found.leaked == 20
    assert str(found.pairs[0].image) == "test image 0"


def test_the_bytes_of_files_are_compared_when_the_time_is_up(root: Path) -> None:
    shutil.copy(root / "train" / "ant" / "0.jpg", root / "val" / "ant" / "bytes.jpg")
    Image.open(root / "train" / "ant" / "1.jpg").save(root / "val" / "ant" / "pixels.png")
    found = duplicates(read(root), -math.inf)
    assert [pair.kind for pair in found.pairs] == ["same file"]
    assert (found.images, found.compared) == (26, 1)


def test_of_many_images_that_look_alike_each_is_compared_with_a_few(root: Path) -> None:
    blank = Image.new("RGB", (96, 80), "white")
    for number in range(300):
        blank.putpixel((number % 90, number // 90), (0, 0, number % 256))
        blank.save(root / "train" / "ant" / f"blank{number}.png")
    found = duplicates(read(root), math.inf)
    assert found.compared == 324
    assert all(pair.kind == "look alike" for pair in found.pairs)
    paths = [*(root / "train" / "ant").glob("blank*")]
    near = _neighbours(of_files(paths, range(300), PLAIN, math.inf))
    assert 300 < len(near) <= 2 * _NEIGHBOURS * 300 < 300 * 299

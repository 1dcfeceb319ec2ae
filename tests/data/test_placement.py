"""Images in memory or on disk: the majority decides, what differs is said, --image_size means what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as transforms

from stillhouse.data import Data, Folder, InMemory, load
from tests.helpers.pictures import picture, write_folders


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """12 images of 8 x 8 px"""
    return write_folders(tmp_path / "pets", "train/a", "train/b", "val/a", "val/b", count=3)


def held(data: Data) -> tuple[str, int]:
    return ("memory" if isinstance(data.train, InMemory) else "disk"), data.info.image_size


def test_small_squares_of_one_size_are_held_in_memory(root: Path) -> None:
    data = load(root)
    assert held(data) == ("memory", 8)
    assert isinstance(data.train, InMemory)
    assert data.train.images.shape == (6, 8, 8, 3)
    assert data.notes == ()


def test_a_validation_set_of_its_own_is_decoded_as_well(root: Path) -> None:
    write_folders(root, "test/a", "test/b", count=1)
    data = load(root)
    assert data.validation is not None
    assert (len(data.train), len(data.validation), len(data.test)) == (6, 6, 2)
    assert data.validation.labels.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(("width", "height"), [(8, 9), (500, 300), (1, 1), (7, 7)])
def test_one_image_of_another_size_changes_nothing_but_itself(root: Path, width: int, height: int) -> None:
    before = load(root)
    picture(0, width, height).save(root / "val" / "a" / "0.png")
    data = load(root)
    assert held(data) == ("memory", 8)
    assert (data.mean, data.std) == (before.mean, before.std)
    assert isinstance(data.test, InMemory)
    assert isinstance(before.test, InMemory)
    assert torch.equal(data.test.images[1:], before.test.images[1:])
    said = f"1 of 12 images is not 8x8 pixels, the first val/a/0.png ({width}x{height}): cropped to the middle square"
    assert data.notes == (f"{said} and resized like the others",)


def test_odd_images_are_made_square_as_asked(root: Path) -> None:
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, :8] = wide[:, -8:] = 255
    Image.fromarray(wide).save(root / "val" / "a" / "0.png")
    means = {}
    for resize in ("crop", "squash", "pad"):
        data = load(root, resize=resize, background="black")
        assert isinstance(data.test, InMemory)
        means[resize] = float(data.test.images[0].float().mean()) / 255
    assert means == pytest.approx({"crop": 0, "squash": 2 / 3, "pad": 2 / 9}, abs=0.1)


def test_several_odd_images_are_counted(root: Path) -> None:
    for number, name in enumerate(("train/a/1.png", "val/b/2.png")):
        picture(number, 8, 9).save(root / name)
    (note,) = load(root).notes
    assert note.startswith("2 of 12 images are not 8x8 pixels, the first train/a/1.png (8x9): ")


@pytest.mark.parametrize("size", [8, 16, 64])
def test_a_size_that_is_asked_for_is_a_resize_in_memory(root: Path, size: int) -> None:
    data, native = load(root, image_size=size), load(root)
    assert held(data) == ("memory", size)
    assert isinstance(data.train, InMemory)
    assert isinstance(native.train, InMemory)
    pixels = transforms.resize(native.train.images.permute(0, 3, 1, 2), [size, size]).permute(0, 2, 3, 1)
    assert torch.equal(data.train.images, pixels)
    picture(0, 60, 50).save(root / "val" / "a" / "0.png")  # now one of another size
    assert held(load(root, image_size=size)) == ("memory", size)


def test_small_images_of_many_sizes_are_resized_in_memory_where_a_size_is_asked_for(root: Path) -> None:
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        picture(number, 20 + number, 30).save(path)
    data = load(root, image_size=32)
    assert held(data) == ("memory", 32)
    assert data.notes == (
        "images have 12 sizes from 20x30 to 31x30 pixels: each is cropped to the middle square and resized to 32x32",
    )
    data = load(root, workers=0)
    assert held(data) == ("disk", 224)
    (note,) = data.notes
    assert note.startswith(
        "images have 12 sizes from 20x30 to 31x30 pixels, and are enlarged to 224x224: --image_size 31 "
    )
    data = load(root, image_size=96, workers=0)
    assert held(data) == ("disk", 96)
    (note,) = data.notes
    assert note.startswith(
        "images have 12 sizes from 20x30 to 31x30 pixels, and are enlarged to 96x96: --image_size 31 "
    )


def test_large_images_stay_on_disk_without_a_note(root: Path) -> None:
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        picture(number, 100 + number, 80).save(path)
    data = load(root)
    assert held(data) == ("disk", 224)
    assert isinstance(data.train, Folder)
    assert data.notes == ()
    assert held(load(root, image_size=32)) == ("disk", 32)


def test_small_images_that_are_enlarged_for_large_networks_are_said(root: Path) -> None:
    data = load(root, image_size=96)
    assert held(data) == ("disk", 96)
    assert data.notes == ("most images are 8x8 pixels, and are enlarged to 96x96",)


def test_an_animation_among_the_images_is_said(root: Path) -> None:
    frames = [picture(number) for number in range(3)]
    frames[0].save(root / "val" / "a" / "moving.gif", save_all=True, append_images=frames[1:])
    (note,) = load(root).notes
    assert note == "1 image has several frames, the first val/a/moving.gif: only the first frame of each is read"


def test_an_orientation_that_turns_a_square_is_no_odd_size(root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(5, 8, 8).save(root / "val" / "a" / "0.png", exif=exif)
    data = load(root)
    assert data.notes == ()
    assert isinstance(data.test, InMemory)
    assert (data.test.images[0].numpy() == np.asarray(picture(5, 8, 8).transpose(Image.Transpose.ROTATE_270))).all()

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stillhouse.data import Folder, InMemory, load
from stillhouse.data.image_folder import IMAGENET_MEAN, IMAGENET_STD
from tests.helpers.pictures import picture, write_classes


@pytest.mark.parametrize("test", ["val", "valid", "validation", "test"])
def test_small_images_go_to_memory(tmp_path: Path, test: str) -> None:
    write_classes(tmp_path / "train", ["b", "a"], 4)
    write_classes(tmp_path / test, ["b", "a"], 2)
    data = load(tmp_path, batch_size=2)
    assert isinstance(data.train, InMemory)
    assert (data.classes, len(data.train), len(data.test)) == (("a", "b"), 8, 4)
    assert data.train.labels.tolist() == [0] * 4 + [1] * 4
    assert (data.train.images[1].numpy() == np.asarray(picture(1001))).all()  # a/1.png
    assert f"test set {test}" in data.describe()


def test_larger_images_stay_on_disk(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", ["a", "b"], 4, 80, 70)
    write_classes(tmp_path / "val", ["a", "b"], 2, 80, 70)
    data = load(tmp_path, batch_size=2, validation=0.25, workers=0)
    assert isinstance(data.train, Folder)
    assert isinstance(data.validation, Folder)
    assert (data.info.image_size, data.mean, data.std) == (224, IMAGENET_MEAN, IMAGENET_STD)
    assert (len(data.train), len(data.validation), len(data.test)) == (6, 2, 4)
    assert not set(data.train.paths) & set(data.validation.paths)
    assert data.validation.labels.tolist() == [0, 1]
    assert "unbounded views" in data.describe()
    small = load(tmp_path, batch_size=2, image_size=32, flip=False)
    assert isinstance(small.train, Folder)
    assert (small.train.size, small.train.flip) == (32, False)
    assert next(small.train.epoch(0, "cpu")).images.shape == (2, 3, 32, 32)


@pytest.mark.parametrize("size", [(8, 9), (65, 65)])
def test_oblong_or_mixed_images_stay_on_disk(tmp_path: Path, size: tuple[int, int]) -> None:
    write_classes(tmp_path, ["a", "b"], 4)
    picture(0, *size).save(tmp_path / "b" / "odd.png")
    assert isinstance(load(tmp_path).train, Folder)


def test_another_size_than_the_images_goes_through_the_disk(tmp_path: Path) -> None:
    write_classes(tmp_path, ["a", "b"], 5)
    assert isinstance(load(tmp_path, image_size=8).train, InMemory)
    assert isinstance(load(tmp_path, image_size=16).train, Folder)


def test_without_a_test_set_a_fixed_fifth_is_held_out(tmp_path: Path) -> None:
    write_classes(tmp_path / "pets", ["a", "b"], 10)
    one, other = load(tmp_path / "pets", seed=0), load(tmp_path / "pets", seed=1, split_seed=4)
    assert isinstance(one.train, InMemory)
    assert isinstance(one.test, InMemory)
    assert isinstance(other.test, InMemory)
    assert one.test.labels.tolist() == [0, 0, 1, 1]
    assert one.fingerprint == other.fingerprint
    both = [image.numpy().tobytes() for split in (one.train, one.test) for image in split.images]
    assert len(set(both)) == 20
    assert "20% of each class held out as the test set" in one.describe()


def test_files_that_are_no_images_are_ignored(tmp_path: Path) -> None:
    write_classes(tmp_path, ["a", "b"], 5)
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / "a" / ".hidden.png").write_text("no image")
    (tmp_path / ".git").mkdir()
    (tmp_path / "README.md").write_text("no image")
    (tmp_path / "a" / "more").mkdir()
    picture(9).save(tmp_path / "a" / "more" / "UPPER.PNG")
    data = load(tmp_path)
    assert len(data.train) + len(data.test) == 11
    assert data.classes == ("a", "b")


def test_an_empty_class_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path, ["a", "b"], 5)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"The class folder \S*/empty holds no images"):
        load(tmp_path)


def test_different_classes_are_listed(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", ["a", "b", "cat"], 2)
    write_classes(tmp_path / "val", ["a", "b", "dog"], 2)
    with pytest.raises(ValueError, match=r"same class folders. Only in train: cat. Only in val: dog"):
        load(tmp_path)


def test_a_missing_test_set_is_explained(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", ["a", "b"], 5)
    with pytest.raises(ValueError, match=r"no test set \(val, valid, validation or test\). Add one, or pass"):
        load(tmp_path)
    assert len(load(tmp_path / "train").test) == 2


def test_a_folder_without_classes_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"needs a folder of images for each class, at least two.* it holds 0 folders"):
        load(tmp_path)


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path, ["a", "b"], 5)
    whole = (tmp_path / "b" / "2.png").read_bytes()
    for damaged in (b"no image", whole[: len(whole) // 2]):
        (tmp_path / "b" / "2.png").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"b/2.png cannot be read as an image"):
            load(tmp_path)


def test_fingerprint_on_disk_follows_names_and_sizes_not_the_place(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_classes(tmp_path / name, ["a", "b"], 5, 70)
    before = load(tmp_path / "one").fingerprint
    assert load(tmp_path / "two").fingerprint == before
    (tmp_path / "two" / "a" / "0.png").rename(tmp_path / "two" / "a" / "00.png")
    assert load(tmp_path / "two").fingerprint != before
    assert load(tmp_path / "one", validation=0.5).fingerprint != before

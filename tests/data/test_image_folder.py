from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from stillhouse.data import Data, Folder, InMemory, load
from stillhouse.data.image_folder import IMAGENET_MEAN, IMAGENET_STD, find
from tests.helpers.pictures import picture, write_classes, write_folders


@pytest.mark.parametrize("test", ["val", "valid", "validation", "test", "Testing", "dev"])
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
    write_classes(tmp_path / "train", ["a", "b"], 20, 80, 70)
    write_classes(tmp_path / "val", ["a", "b"], 2, 80, 70)
    data = load(tmp_path, batch_size=2, validation=0.25, workers=0)
    assert isinstance(data.train, Folder)
    assert isinstance(data.validation, Folder)
    assert (data.info.image_size, data.mean, data.std) == (224, IMAGENET_MEAN, IMAGENET_STD)
    assert len(data.test) == 4
    assert {*data.train.paths} | {*data.validation.paths} == {*(tmp_path / "train").rglob("*.png")}
    assert not set(data.train.paths) & set(data.validation.paths)
    assert set(data.validation.labels.tolist()) == {0, 1}
    assert "new views in each epoch" in data.describe()
    small = load(tmp_path, batch_size=2, image_size=32, flip=False)
    assert isinstance(small.train, Folder)
    assert (small.train.size, small.train.flip) == (32, False)
    assert next(small.train.epoch(0, "cpu")).images.shape == (2, 3, 32, 32)


def pixels(data: Data, split: str) -> set[bytes]:
    part = getattr(data, split)
    assert isinstance(part, InMemory)
    return {image.numpy().tobytes() for image in part.images}


def test_without_a_test_set_about_a_fifth_is_held_out_by_name(tmp_path: Path) -> None:
    write_classes(tmp_path / "pets", ["a", "b"], 50)
    one, other = load(tmp_path / "pets", seed=0), load(tmp_path / "pets", seed=1, split_seed=4)
    assert pixels(one, "test") == pixels(other, "test")
    assert 10 <= len(one.test) <= 30
    assert one.fingerprint == other.fingerprint
    assert len(pixels(one, "train") | pixels(one, "test")) == 100
    assert "about 20% of each class held out as the test set by their names" in one.describe()


def test_adding_and_removing_images_moves_none(tmp_path: Path) -> None:
    write_classes(tmp_path, ["a", "b"], 50)
    before = load(tmp_path, validation=0.2)
    for number in range(30):
        picture(5000 + number).save(tmp_path / "a" / f"aaa{number}.png")
    (tmp_path / "b" / "7.png").unlink()
    after = load(tmp_path, validation=0.2)
    for split in ("train", "validation", "test"):
        for other in {"train", "validation", "test"} - {split}:
            assert not pixels(before, split) & pixels(after, other)


@pytest.mark.parametrize("size", [8, 70])
def test_images_in_memory_and_on_disk_are_split_alike(tmp_path: Path, size: int) -> None:
    write_classes(tmp_path, ["a", "b"], 30, size)
    first, again = load(tmp_path, validation=0.2), load(tmp_path, validation=0.2, image_size=16)
    assert first.validation is not None
    assert again.validation is not None
    for one, other in ((first.train, again.train), (first.validation, again.validation), (first.test, again.test)):
        assert one.labels.tolist() == other.labels.tolist()


@pytest.mark.parametrize("size", [8, 70])
def test_a_validation_set_is_chosen_by_and_the_test_set_measured(tmp_path: Path, size: int) -> None:
    for split, count in (("train", 5), ("valid", 3), ("test", 2)):
        write_classes(tmp_path / split, ["a", "b"], count, size)
    data = load(tmp_path)
    assert data.validation is not None
    assert (len(data.train), len(data.validation), len(data.test)) == (10, 6, 4)
    assert "10 training, 6 validation and 4 test images" in data.describe()
    assert "test set test, validation set valid" in data.describe()
    before = data.fingerprint
    picture(7, size).save(tmp_path / "valid" / "a" / "0.png")
    assert load(tmp_path).fingerprint != before
    with pytest.raises(ValueError, match=r"--validation 0.1 is for data without a validation set"):
        load(tmp_path, validation=0.1)


def test_validation_images_are_the_test_set_where_that_has_no_labels(tmp_path: Path) -> None:
    write_folders(tmp_path, "train/a", "train/b", "val/a", "val/b", "test")
    data = load(tmp_path)
    assert (len(data.test), data.validation) == (4, None)
    assert data.notes == ("test is not used: it holds 2 images, but no class folders",)


def test_a_test_set_without_labels_is_refused_where_it_is_the_only_one(tmp_path: Path) -> None:
    write_folders(tmp_path, "train/a", "train/b", "test", count=6)
    with pytest.raises(
        ValueError, match=r"test cannot be measured on, because it holds 6 images, but no class"
    ) as error:
        load(tmp_path)
    assert f"or pass {tmp_path}/train itself" in str(error.value)
    assert len(load(tmp_path / "train").classes) == 2


def test_a_missing_test_set_is_explained(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", ["a", "b"], 5)
    with pytest.raises(ValueError, match=r"has a folder train but no test set \(val or test\): add one, or pass"):
        load(tmp_path)
    assert len(load(tmp_path / "train").test) >= 2


@pytest.mark.parametrize("size", [8, 70])
def test_a_folder_without_training_images_is_measured_completely(tmp_path: Path, size: int) -> None:
    write_classes(tmp_path / "flat", ["a", "b"], 10, size)
    write_classes(tmp_path / "only" / "test", ["a", "b"], 10, size)
    for name, source in (("flat", "all images are measured"), ("only", "test set test")):
        data = load(tmp_path / name, test_only=True)
        assert (len(data.train), len(data.test)) == (0, 20)
        assert data.describe().startswith(f"{name}: 20 test images, ")
        assert source in data.source
    with pytest.raises(ValueError, match=r"holds test but no training images: .* use stillhouse evaluate"):
        load(tmp_path / "only")
    write_classes(tmp_path / "both" / "train", ["a", "b"], 4, size)
    write_classes(tmp_path / "both" / "val", ["a", "b"], 2, size)
    assert len(load(tmp_path / "both", test_only=True).test) == 4


def test_files_that_are_no_images_are_left_out_and_said(tmp_path: Path) -> None:
    write_classes(tmp_path, ["a", "b"], 5)
    for name in ("a/notes.txt", "README.md", ".gitignore"):
        (tmp_path / name).write_text("no image")
    (tmp_path / ".git").mkdir()
    (tmp_path / "a" / "more").mkdir()
    picture(9).save(tmp_path / "a" / "more" / "UPPER.PNG")
    data = load(tmp_path)
    assert len(data.train) + len(data.test) == 11
    assert data.classes == ("a", "b")
    assert data.notes == (
        "left out 1 file that cannot be read as images: 1 .txt",
        "1 image in folders inside class folders count for the class (a/more)",
    )


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path, ["a", "b"], 5)
    whole = (tmp_path / "b" / "2.png").read_bytes()
    for damaged in (b"no image", whole[: len(whole) // 2]):
        (tmp_path / "b" / "2.png").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"b/2.png cannot be read"):
            load(tmp_path)
    data = load(tmp_path, skip_broken=True)
    assert (data.skipped, len(data.train) + len(data.test)) == (1, 9)


@pytest.mark.parametrize("size", [8, 70])
def test_the_fingerprint_follows_contents_and_names_of_classes(tmp_path: Path, size: int) -> None:
    for name in ("one", "two"):
        for split in ("train", "val"):
            write_classes(tmp_path / name / split, ["a", "b"], 5, size)
    before = load(tmp_path / "one").fingerprint
    assert load(tmp_path / "two").fingerprint == before
    assert load(tmp_path / "one", validation=0.5).fingerprint != before
    image = tmp_path / "two" / "train" / "a" / "0.png"
    content = image.read_bytes()
    picture(77, size).save(image)
    assert load(tmp_path / "two").fingerprint != before
    image.write_bytes(content)
    assert load(tmp_path / "two").fingerprint == before
    for split in ("train", "val"):
        (tmp_path / "two" / split / "a").rename(tmp_path / "two" / split / "aa")
    assert load(tmp_path / "two").fingerprint != before


def test_a_png_of_the_same_size_is_another_image(tmp_path: Path) -> None:
    """Names and sizes are not contents."""
    write_classes(tmp_path / "train", ["a", "b"], 3, 70)
    write_classes(tmp_path / "val", ["a", "b"], 3, 70)
    before = load(tmp_path).fingerprint
    first, second = (tmp_path / "train" / "a" / f"{number}.png" for number in (0, 1))
    away = tmp_path / "away"
    shutil.move(first, away)
    shutil.move(second, first)
    shutil.move(away, second)
    assert load(tmp_path).fingerprint != before


def test_paths_tell_where_the_images_are(tmp_path: Path) -> None:
    write_folders(tmp_path, "cat/train", "cat/val", "dog/train", "dog/val", count=5)
    files = find(tmp_path)
    assert {Path(str(path)).parent.name for path in files.train} == {"train"}
    assert {Path(str(path)).parent.name for path in files.test} == {"val"}


def test_one_image_a_class_cannot_be_split(tmp_path: Path) -> None:
    write_folders(tmp_path, "a", "b", count=1)
    with pytest.raises(ValueError, match="holds one image of each class: at least two are needed"):
        load(tmp_path)

"""Each refusal says what was found and what would work; where it names a command, that works."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stillhouse.data.folders.layout import recognise
from stillhouse.data.folders.tree import Tree
from tests.helpers.pictures import picture, write_folders


def refusal(root: Path, *folders: str) -> str:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        recognise(Tree(), str(write_folders(root, *folders)))
    return str(error.value).replace(f"{root}/", "").replace(str(root), "HERE")


def both(*splits: str) -> list[str]:
    return [f"{split}/{name}" for split in splits for name in "ab"]


def test_nothing_at_all(tmp_path: Path) -> None:
    assert refusal(tmp_path).startswith(
        "HERE holds nothing; stillhouse reads class folders without splits (CLASS/*.jpg) or"
    )


def test_images_without_folders(tmp_path: Path) -> None:
    assert refusal(tmp_path, ".").startswith("HERE holds 2 images, and no class folders; stillhouse reads")


def test_classes_in_file_names_come_with_a_command_that_works(tmp_path: Path) -> None:
    for number in range(4):
        picture(number).save(tmp_path / f"cat.{number}.jpg")
        picture(9 + number).save(tmp_path / f"dog.{number}.jpg")
    said = refusal(tmp_path)
    assert "; the classes seem to be in the file names (cat and dog): move the images into a folder for each" in said
    command = said.partition("as in ")[2].partition(";")[0]
    for name in ("cat", "dog"):
        subprocess.run(command.replace("cat", name), shell=True, cwd=tmp_path, check=True)
    assert list(recognise(Tree(), str(tmp_path)).parts["train"].folders) == ["cat", "dog"]


def test_links_that_lead_nowhere_may_have_been_splits(tmp_path: Path) -> None:
    (tmp_path / "train").symlink_to("/gone/train")
    assert refusal(tmp_path) == "train is a link to /gone/train, which is missing: restore the file, or delete the link"


def test_one_class(tmp_path: Path) -> None:
    assert "holds the folder cat (2 images): that is one class (cat), and at least two are needed" in refusal(
        tmp_path, "cat"
    )


def test_images_beside_labels(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "0.txt").write_text("0 0.5 0.5 1 1")
    assert "HERE holds the folders images (2 images) and labels (no images, 1 .txt)" in refusal(tmp_path, "images")
    said = refusal(tmp_path, "images", "labels")
    assert "HERE holds images and labels: they look like images and what belongs to them, not like classes" in said


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("x.zip", "zip archives"),
        ("a/data.tfrecord", "TFRecord files"),
        ("b/x.npy", "NumPy files"),
    ],
)
def test_other_forms_are_named(tmp_path: Path, file: str, words: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("x")
    said = refusal(tmp_path)
    assert words in said
    assert "are not read (unpack or convert them)" in said


def test_train_with_folders_beside_other_folders(tmp_path: Path) -> None:
    said = refusal(tmp_path, "bus", "car", "train/ice", "train/tgv")
    assert "holds train, with folders in it (ice and tgv), beside bus and car: if train is the training set" in said
    (tmp_path / "train").rename(tmp_path / "trains")
    assert list(recognise(Tree(), str(tmp_path)).parts["train"].folders) == ["bus", "car", "trains"]


def test_a_test_set_beside_classes_comes_with_a_command_that_works(tmp_path: Path) -> None:
    said = refusal(tmp_path, "cat", "dog", "test/cat", "test/dog")
    assert "HERE holds test, with folders (cat and dog), beside cat and dog: if test is a test set, move" in said
    command = said.partition("train (")[2].partition(")")[0].replace("HERE", str(tmp_path))
    subprocess.run(command, shell=True, check=True)
    assert list(recognise(Tree(), str(tmp_path)).parts) == ["train", "test"]


def test_unsorted_test_images_beside_classes(tmp_path: Path) -> None:
    said = refusal(tmp_path, "cat", "dog", "test")
    assert "test, with 2 images, beside cat and dog" in said
    assert "or, if they have no labels, move test away; if test is a class like the others, rename it" in said


def test_two_folders_for_one_split(tmp_path: Path) -> None:
    assert "Training and train, which both look like images for training" in refusal(
        tmp_path, *both("train", "Training", "val")
    )


def test_names_of_split_and_class(tmp_path: Path) -> None:
    assert "holds cat_test and cat_train: they look like parts for training and testing" in refusal(
        tmp_path, "cat_train", "cat_test", "dog_train", "dog_test"
    )
    assert "holds x_test and x_train: they look like parts" in refusal(tmp_path / "flat", "x_train", "x_test")


def test_splits_inside_some_classes(tmp_path: Path) -> None:
    said = refusal(tmp_path, "cat/train", "cat/val", "dog")
    assert said.startswith("cat holds train and val, but dog holds 2 images: give all class folders the same splits")


@pytest.mark.parametrize("place", ["images", "x/images"])
def test_splits_one_folder_below_beside_others(tmp_path: Path, place: str) -> None:
    said = refusal(tmp_path, *both(f"{place}/train", f"{place}/val"), "docs")
    assert f"with the splits train and val in it, beside docs (2 images): pass {place}" in said
    assert list(recognise(Tree(), str(tmp_path / place)).parts) == ["train", "validation"]


@pytest.mark.parametrize("place", ["", "train/", "data/train/"])
@pytest.mark.parametrize(("pictures", "masks"), [("images", "masks"), ("JPEGImages", "SegmentationClass")])
def test_images_beside_masks_are_no_classes_at_any_depth(tmp_path: Path, place: str, pictures: str, masks: str) -> None:
    folders = [f"{place}{pictures}", f"{place}{masks}"]
    folders += [folder.replace("train", "val") for folder in folders if place]
    assert f"holds {pictures} and {masks}: they look like images and what belongs to them" in refusal(
        tmp_path, *folders
    )


def test_splits_of_images_and_of_masks_are_refused(tmp_path: Path) -> None:
    folders = [f"{kind}/{split}" for kind in ("images", "masks") for split in ("train", "val")]
    assert "holds images and masks: they look like" in refusal(tmp_path, *folders)

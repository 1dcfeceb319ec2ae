from __future__ import annotations

from pathlib import Path

import pytest

from stillhouse.data.folders.layout import Layout, recognise
from stillhouse.data.folders.tree import Tree
from tests.helpers.pictures import write_folders


def layout(root: Path, *folders: str) -> Layout:
    return recognise(Tree(), str(write_folders(root, *folders)))


def parts(root: Path, *folders: str) -> dict[str, dict[str, str]]:
    """Write images into the folders, and return split -> class -> folder below root."""
    found = layout(root, *folders)
    return {
        split: {name: str(Path(path).relative_to(root)) for name, path in part.folders.items()}
        for split, part in found.parts.items()
    }


def both(*splits: str) -> list[str]:
    return [f"{split}/{name}" for split in splits for name in "ab"]


def test_class_folders_without_splits(tmp_path: Path) -> None:
    assert not layout(tmp_path, "cat", "dog").has_splits
    assert parts(tmp_path) == {"train": {"cat": "cat", "dog": "dog"}}


@pytest.mark.parametrize(
    ("train", "other", "split"),
    [
        ("train", "val", "validation"),
        ("Training", "Testing", "test"),
        ("train_set", "test_set", "test"),
        ("TRAIN", "dev", "validation"),
        ("seg_train", "seg_test", "test"),
        ("seg_train/seg_train", "seg_test/seg_test", "test"),
        ("train/images", "val/images", "validation"),
        ("archive/data/train", "archive/data/valid", "validation"),
    ],
)
def test_splits_with_class_folders(tmp_path: Path, train: str, other: str, split: str) -> None:
    assert parts(tmp_path, *both(train, other)) == {
        "train": {"a": f"{train}/a", "b": f"{train}/b"},
        split: {"a": f"{other}/a", "b": f"{other}/b"},
    }


def test_three_splits(tmp_path: Path) -> None:
    assert list(parts(tmp_path, *both("test", "train", "valid"))) == ["train", "validation", "test"]


def test_splits_inside_class_folders(tmp_path: Path) -> None:
    found = parts(tmp_path, "cat/train", "cat/val", "dog/Train", "dog/val", "cow/train")
    assert found["train"] == {"cat": "cat/train", "cow": "cow/train", "dog": "dog/Train"}
    assert found["validation"] == {"cat": "cat/val", "dog": "dog/val"}
    assert recognise(Tree(), str(tmp_path)).notes == ["the class folders hold the splits train and val"]


def test_two_class_folders_that_hold_splits_are_enough(tmp_path: Path) -> None:
    found = parts(tmp_path, "cat/train", "cat/test", "dog/train", "dog/test")
    assert found == {
        "train": {"cat": "cat/train", "dog": "dog/train"},
        "test": {"cat": "cat/test", "dog": "dog/test"},
    }


def test_a_class_that_is_called_train_is_a_class_and_that_is_said(tmp_path: Path) -> None:
    found = layout(tmp_path, "bus", "car", "train")
    assert list(found.parts["train"].folders) == ["bus", "car", "train"]
    assert found.notes == [
        "the folder train counts as a class, because it holds images itself and lies beside bus and car"
    ]


def test_words_that_hold_a_split_are_classes(tmp_path: Path) -> None:
    assert list(parts(tmp_path, "bullet_train", "test_tube", "car")["train"]) == ["bullet_train", "car", "test_tube"]


def test_a_class_with_one_folder_for_a_split_alone_is_a_class(tmp_path: Path) -> None:
    assert list(parts(tmp_path, "vehicle/train", "vehicle/car", "animal/cat")["train"]) == ["animal", "vehicle"]


def test_wrapper_folders_are_looked_through(tmp_path: Path) -> None:
    found = layout(tmp_path, "a/b/c/cat", "a/b/c/dog", "__MACOSX/x", "a/@eaDir")
    assert found.place == str(tmp_path / "a" / "b" / "c")
    assert list(found.parts["train"].folders) == ["cat", "dog"]


def test_the_only_class_of_a_split_is_no_wrapper(tmp_path: Path) -> None:
    found = parts(tmp_path, "train/cat/young", "train/cat/old", "train/dog", "test/cat/young", "test/cat/old")
    assert found["test"] == {"cat": "test/cat"}


def test_splits_without_class_folders_have_no_classes(tmp_path: Path) -> None:
    assert parts(tmp_path, *both("train"), "test") == {"train": {"a": "train/a", "b": "train/b"}, "test": {}}


def test_an_empty_folder_beside_a_full_one_is_not_the_split(tmp_path: Path) -> None:
    (tmp_path / "validation").mkdir()
    assert parts(tmp_path, *both("train", "val"))["validation"] == {"a": "val/a", "b": "val/b"}


def test_folders_beside_splits_are_left_out_and_said(tmp_path: Path) -> None:
    found = layout(tmp_path, *both("train", "val", "extra"), "docs", ".")
    assert list(found.parts) == ["train", "validation"]
    assert found.notes == [
        f"left out 2 images in {tmp_path} itself, outside the class folders",
        "left out the folder docs beside train and val (2 images)",
        "left out the folder extra beside train and val (4 images)",
    ]


def test_images_beside_class_folders_are_said(tmp_path: Path) -> None:
    write_folders(tmp_path, *both("train", "val"))
    assert layout(tmp_path, "train").notes == [
        f"left out 2 images in {tmp_path}/train itself, outside the class folders"
    ]


def test_with_test_images_train_is_a_split_even_if_it_holds_images_itself_beside_another_folder(tmp_path: Path) -> None:
    found = layout(tmp_path, *both("train", "test"), "train", "docs")
    assert {split: list(part.folders) for split, part in found.parts.items()} == {
        "train": ["a", "b"],
        "test": ["a", "b"],
    }
    assert found.notes == [
        f"left out 2 images in {tmp_path}/train itself, outside the class folders",
        "left out the folder docs beside test and train (2 images)",
    ]

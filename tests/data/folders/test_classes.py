from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from stillhouse.data.folders.classes import Selection, select
from stillhouse.data.folders.layout import recognise
from stillhouse.data.folders.tree import Tree
from tests.helpers.pictures import write_folders


def selection(root: Path, *folders: str) -> Selection:
    tree = Tree()
    return select(tree, recognise(tree, str(write_folders(root, *folders))))


def refusal(root: Path, *folders: str) -> str:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        selection(root, *folders)
    return str(error.value).replace(f"{root}/", "")


def both(*splits: str) -> list[str]:
    return [f"{split}/{name}" for split in splits for name in "ab"]


def test_labels_are_positions_in_alphabetical_order(tmp_path: Path) -> None:
    found = selection(tmp_path, "train/b", "train/a", "val/b", "val/a")
    assert found.classes == ("a", "b")
    for images in found.parts.values():
        assert [(label, image.name) for image, label in images] == [
            (0, "0.png"),
            (0, "1.png"),
            (1, "0.png"),
            (1, "1.png"),
        ]


def test_names_are_compared_in_one_unicode_form(tmp_path: Path) -> None:
    composed, split = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    found = selection(tmp_path, f"train/{split}", "train/tea", f"val/{composed}", "val/tea")
    assert found.classes == (composed, "tea")
    assert [len(images) for images in found.parts.values()] == [4, 4]
    assert found.notes == []
    assert "have the same name, written with different Unicode characters" in refusal(
        tmp_path / "other", composed, split, "tea"
    )


def test_names_that_differ_in_case_are_matched_and_said(tmp_path: Path) -> None:
    found = selection(tmp_path, "train/Cat", "train/Dog", "val/cat", "val/DOG")
    assert [len(images) for images in found.parts.values()] == [4, 4]
    assert found.notes == [
        "folders of val differ only in case from those of train and are read as the same: DOG for Dog and cat for Cat"
    ]
    assert "are both folders of the class Cat: put them together" in refusal(tmp_path, "val/Cat")


def test_classes_that_differ_in_case_alone_stay_apart(tmp_path: Path) -> None:
    found = selection(tmp_path, "train/a", "train/A", "val/a", "val/A")
    assert found.classes == ("A", "a")
    assert len(found.parts["validation"]) == 4


def test_classes_that_only_a_test_set_has_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, *both("train", "val"), "train/c", "val/d") == (
        "train and val must hold the same class folders: only in train: c; only in val: d; rename, add or remove "
        "folders"
    )


def test_classes_without_test_images_are_said(tmp_path: Path) -> None:
    found = selection(tmp_path, *both("train", "val"), "train/c")
    assert found.classes == ("a", "b", "c")
    assert found.notes == ["val has no images of 1 of the 3 classes (c): they cannot be measured"]


def test_a_split_without_class_folders_is_described(tmp_path: Path) -> None:
    assert selection(tmp_path, *both("train", "val"), "test").unlabelled == {"test": "2 images, but no class folders"}
    found = selection(tmp_path / "other", *both("train"), "test/unknown")
    assert found.unlabelled == {"test": "the folder unknown (2 images), but no class folders"}
    (tmp_path / "more" / "val" / "a").mkdir(parents=True)
    assert selection(tmp_path / "more", *both("train")).unlabelled == {"validation": "no images"}


def test_an_unsorted_training_set_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "train", *both("test")).startswith("train holds 2 images, and no class folders")
    said = refusal(tmp_path / "one", "train/x", "test/x")
    assert said.startswith("train holds one class folder (x), and at least two classes are needed; stillhouse reads")


def test_an_empty_class_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    said = refusal(tmp_path, "a", "b")
    assert said == "the class folder c holds no images: add some, or remove the folder"


def test_a_class_of_files_that_are_not_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "0.npy").write_text("")
    (tmp_path / "c" / "readme.txt").write_text("")
    assert "the class folder c holds no images, but 0.npy and readme.txt: add some" in refusal(tmp_path, "a", "b")


def test_a_folder_of_words_is_no_class_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "0.txt").write_text("")
    found = selection(tmp_path, "a", "b")
    assert (found.classes, found.notes) == (
        ("a", "b"),
        ["the folder labels is not a class: it holds no images (1 .txt)"],
    )


def test_images_in_folders_inside_class_folders_count_and_that_is_said(tmp_path: Path) -> None:
    found = selection(tmp_path, "a", "a/more/deep", "b")
    assert len(found.parts["train"]) == 6
    assert found.notes == ["2 images in folders inside class folders count for the class (a/more/deep)"]


def test_splits_deep_inside_classes_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "animal/cat/train", "animal/cat/val", "animal/dog/train", "vehicle/car").startswith(
        "folders called train and val lie inside class folders (animal/cat/train, animal/cat/val, animal/dog/train and"
    )


def test_one_folder_with_very_few_images_may_be_no_class(tmp_path: Path) -> None:
    write_folders(tmp_path, "cat", "dog", count=41)
    assert selection(tmp_path, "docs").notes == [
        "the class docs has 2 images, every other one at least 41: if it is not a class, move it away"
    ]
    assert selection(tmp_path, "rare").notes == []  # a long tail


def test_superclasses_are_said(tmp_path: Path) -> None:
    (note,) = selection(tmp_path, "animal/cat", "animal/dog", "vehicle/car").notes
    assert "6 images in folders inside class folders count for the class (animal/cat, animal/dog and" in note
    assert "; the classes are animal and vehicle: if you mean those inside, move them up, or pass one of these" in note


def test_each_real_file_counts_once(tmp_path: Path) -> None:
    write_folders(tmp_path, "cat", "dog")
    os.symlink("../dog", tmp_path / "cat" / "dogs")
    os.symlink("0.png", tmp_path / "cat" / "again.png")
    os.symlink("..", tmp_path / "cat" / "up")
    found = selection(tmp_path)
    assert [image.path.removeprefix(f"{tmp_path}/") for image, _ in found.parts["train"]] == [
        *("cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png")
    ]
    assert found.notes == [
        "links to a folder that contains them were not followed: cat/up",
        "left out 3 links to images that are read elsewhere in this folder",
    ]


def test_files_elsewhere_may_be_linked_to_from_several_splits_but_once_from_a_class(tmp_path: Path) -> None:
    write_folders(tmp_path / "pool", ".")
    for split in ("train", "val"):
        for name in "ab":
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for link in ("x.png", "y.png"):
                os.symlink(tmp_path / "pool" / "0.png", tmp_path / "data" / split / name / link)
    found = selection(tmp_path / "data")
    assert [len(images) for images in found.parts.values()] == [2, 2]
    assert found.notes == ["left out 4 links to images that are read elsewhere in this folder"]


def test_a_class_that_is_a_link_to_another_class_is_refused(tmp_path: Path) -> None:
    write_folders(tmp_path, "cat", "dog")
    os.symlink("cat", tmp_path / "kitty")
    assert refusal(tmp_path).startswith("the class folder kitty holds only links to images that are read elsewhere")


def test_a_link_that_may_have_been_a_class_is_named(tmp_path: Path) -> None:
    write_folders(tmp_path, *both("train", "val"))
    os.symlink("/gone/bird", tmp_path / "train" / "bird")
    assert refusal(tmp_path) == (
        "train/bird is a link to /gone/bird, which is missing: restore the file, or delete the link"
    )


def test_without_training_images_the_test_images_have_the_classes(tmp_path: Path) -> None:
    found = selection(tmp_path, *both("test"))
    assert (found.classes, list(found.parts)) == (("a", "b"), ["test"])

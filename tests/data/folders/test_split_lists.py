"""Lists that say which images are for training and testing."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillhouse.data import load
from stillhouse.data.folders.split_lists import split_lists
from stillhouse.data.folders.tree import Tree
from tests.helpers.pictures import write_folders


@pytest.mark.parametrize(
    ("place", "files", "named"),
    [
        (".", ["train.txt", "val.txt"], "train.txt and val.txt are"),
        ("images", ["meta/test.json", "meta/train.txt", "meta/classes.txt"], "meta/test.json and meta/train.txt are"),
        ("images", ["train_test_split.txt", "images.txt"], "train_test_split.txt is"),
        ("a/images", ["a/lists/test_list1.csv"], "a/lists/test_list1.csv is"),
    ],
)
def test_lists_of_splits_are_said_not_to_be_read(tmp_path: Path, place: str, files: list[str], named: str) -> None:
    root = write_folders(tmp_path / "pets", f"{place}/cat", f"{place}/dog", count=6)
    for name in files:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("cat/1")
    (note,) = load(root).notes
    assert note.startswith(f"{named} not read: ")


@pytest.mark.parametrize(
    "name", ["labels.txt", "training_log.txt", "test_results.csv", "train.py", "README.md", "test"]
)
def test_other_files_are_no_lists(tmp_path: Path, name: str) -> None:
    root = write_folders(tmp_path, "cat", "dog")
    (root / name).write_text("x")
    assert split_lists(Tree(), str(root), str(root)) == []


def test_nothing_is_said_where_folders_tell_the_splits(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "pets", "train/cat", "train/dog", "test/cat", "test/dog")
    (root / "train.txt").write_text("cat/1")
    assert load(root).notes == ()

"""Rows become a data set by the same rule as class folders: what is trained on, measured on and chosen by."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stillhouse.data.decode import Encoded
from stillhouse.data.image_files import Files
from stillhouse.data.readers.labels import Label
from stillhouse.data.readers.table import Rows, Table, files_of
from stillhouse.data.splits import SPLITS, SplitName

ROOT = Path("/pets")


def rows(split: str, labels: list[Label]) -> Rows:
    return Rows([Encoded(f"{split}{i}".encode(), f"{split} {i}") for i in range(len(labels))], labels)


def files(test_only: bool = False, **splits: list[Label]) -> Files:
    known: dict[str, SplitName] = {split: split for split in SPLITS}
    found = {known[split]: rows(split, labels) for split, labels in splits.items()}
    return files_of(Table(ROOT, "parquet files", str(ROOT), found), test_only)


def names(found: Files) -> tuple[list[str], list[str], list[str]]:
    return [str(i) for i in found.train], [str(i) for i in found.validation], [str(i) for i in found.test]


def test_the_best_epoch_is_chosen_on_validation_images_and_measured_on_test_images() -> None:
    found = files(train=[0, 1], validation=[1, 0], test=[0, 1])
    assert names(found) == (["train 0", "train 1"], ["validation 0", "validation 1"], ["test 0", "test 1"])
    assert found.validation_labels.tolist() == [1, 0]
    assert found.source == "/pets; test set test, validation set validation"


def test_validation_is_the_test_set_where_test_images_have_no_labels() -> None:
    found = files(train=[0, 1], validation=[1, 0], test=[None, None])
    assert names(found) == (["train 0", "train 1"], [], ["validation 0", "validation 1"])
    assert found.source == "/pets; test set validation"
    assert found.notes == ("test is not used: its 2 images have no labels",)


def test_images_without_labels_are_left_out_with_their_labels() -> None:
    found = files(train=[0, None, 1], test=[None, 1, 0])
    assert names(found)[0] == ["train 0", "train 2"]
    assert names(found)[2] == ["test 1", "test 2"]
    assert (found.train_labels.tolist(), found.test_labels.tolist()) == ([0, 1], [1, 0])
    assert found.notes == (
        "left out 1 train image of 3 without a label",
        "left out 1 test image of 3 without a label",
    )


def test_without_a_test_set_images_go_by_what_they_contain() -> None:
    assert not files(train=[0, 1]).is_split
    keys = files(train=[0, 1] * 50).train_keys
    assert len(set(keys.tolist())) == 100
    assert torch.equal(keys, files(train=[0, 1] * 60).train_keys[:100])  # so none changes sides, see `held_out.settle`


def test_without_training_images_only_evaluation_works() -> None:
    with pytest.raises(
        ValueError, match=r"^/pets holds parquet files for test but none for train: add them; to measure"
    ):
        files(test=[0, 1])
    found = files(test_only=True, test=[0, 1])
    assert names(found) == ([], [], ["test 0", "test 1"])


def test_an_empty_split_is_said() -> None:
    assert files(train=[0, 1] * 4, test=[]).notes == ("test is not used: it holds no images",)


def test_files_come_with_the_rows_of_their_split_and_a_split_without_files_has_rows_as_well() -> None:
    table = Table(ROOT, "parquet files", str(ROOT))
    for path, found in table.each_file({"test": [], "train": [Path("a"), Path("b")]}):
        found.add(Encoded(b"", path.name), path.name)
    assert {split: found.labels for split, found in table.splits.items()} == {"test": [], "train": ["a", "b"]}

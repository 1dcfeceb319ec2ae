"""Files by configuration and split, in all the ways data sets are laid out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stillhouse.data.readers.shards import check_file, data_sets, files_below, only_one


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train-00000-of-00002.parquet", "test-00000-of-00001.parquet"),
        ("data/train-00000-of-00001-5a1b8f0e3d2c4b6a.parquet", "data/test-00000-of-00001-5a1b8f0e3d2c4b6a.parquet"),
        ("train.parquet", "test.parquet"),
        ("train_0.parquet", "test_0.parquet"),
        ("plain_text/train-00000-of-00001.parquet", "plain_text/test-00000-of-00001.parquet"),
        ("default/train/0000.parquet", "default/test/0000.parquet"),
        ("train/0000.parquet", "Testing/0000.parquet"),
        ("cifar10-train.parquet", "cifar10-test.parquet"),
        ("data/cifar10/train/part-0.parquet", "data/cifar10/test/part-0.parquet"),
    ],
)
def test_one_data_set_in_many_layouts(tmp_path: Path, train: str, test: str) -> None:
    root = touch(tmp_path, train, test)
    found = only_one(root, "files", data_sets(root, files_below(root, ".parquet")))
    assert found is not None
    assert found.by_split == {"train": [root / train], "test": [root / test]}


def test_files_of_a_split_stay_in_order(tmp_path: Path) -> None:
    names = [f"train-{number:05}-of-00012.parquet" for number in range(12)]
    root = touch(tmp_path, *reversed(names))
    (found,) = data_sets(root, files_below(root, ".parquet"))
    assert found.files == [root / name for name in names]


def test_several_data_sets_are_named_with_the_command_that_works(tmp_path: Path) -> None:
    root = touch(tmp_path, *(f"{config}/{split}-0.parquet" for config in ("a", "b") for split in ("train", "test")))
    with pytest.raises(
        ValueError, match=rf"^{root} holds parquet files of 2 data sets \(a and b\): .* --data {root}/a$"
    ):
        only_one(root, "parquet files", data_sets(root, files_below(root, ".parquet")))


def test_a_second_set_without_training_files_does_not_count(tmp_path: Path) -> None:
    root = touch(tmp_path, "full/train-0.parquet", "full/test-0.parquet", "tiny/test-0.parquet")
    found = only_one(root, "files", data_sets(root, files_below(root, ".parquet")))
    assert found is not None
    assert found.config == "full"


def test_files_that_tell_no_split_are_kept_apart(tmp_path: Path) -> None:
    root = touch(tmp_path, "metadata.parquet", ".hidden/train-0.parquet", "notes.txt")
    (found,) = data_sets(root, files_below(root, ".parquet"))
    assert (found.by_split, found.others) == ({}, [root / "metadata.parquet"])
    assert only_one(root, "files", [found]) is None


def test_what_has_no_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "log.csv").touch()  # as /proc/kmsg, which would wait for ever
    (tmp_path / "huge.csv").touch()
    os.truncate(tmp_path / "huge.csv", 1 << 40)
    for name, why in (("pipe", "is not a regular file"), ("log", "is empty"), ("huge", "has 1,099,511,627,776 bytes")):
        with pytest.raises(ValueError, match=f"{name}.csv {why}"):
            check_file(tmp_path / f"{name}.csv", most=1000)

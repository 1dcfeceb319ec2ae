"""Which form of data set a folder or file is."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillhouse.data import load
from tests.helpers.pictures import picture, png, write_folders, write_parquet


def test_a_parquet_file_alone_holds_out_its_own(tmp_path: Path) -> None:
    write_parquet(tmp_path / "0000.parquet", [png(picture(number)) for number in range(20)], [0, 1] * 10)
    in_folder, in_file = load(tmp_path), load(tmp_path / "0000.parquet")
    assert len(in_folder.train) + len(in_folder.test) == 20
    assert in_folder.fingerprint == in_file.fingerprint
    assert in_file.name == in_folder.name == tmp_path.name
    assert f"{tmp_path}/0000.parquet; about 20%" in in_file.source
    assert len(load(tmp_path, test_only=True).test) == 20


def test_other_parquet_files_beside_class_folders_do_not_matter(tmp_path: Path) -> None:
    root = write_folders(tmp_path, "train/a", "train/b", "val/a", "val/b", count=2)
    pq.write_table(pa.table({"a": [1]}), root / "train-statistics.parquet")
    pq.write_table(pa.table({"a": [1]}), root / "train-0.parquet")
    assert load(root).classes == ("a", "b")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("data.zip", r"data.zip is an archive: unpack it \(unzip \S+data.zip\) and pass the folder"),
        ("data.tar.gz", r"data.tar.gz is an archive: unpack it \(tar -xf \S+data.tar.gz\) and pass the folder"),
        (
            "cat.jpg",
            r"cat.jpg is a file, and the only files read are .parquet, .arrow, .tar, .csv, .*: pass the folder",
        ),
    ],
)
def test_other_files_are_refused_with_a_way_out(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ValueError, match=said):
        load(tmp_path / name)


def test_a_folder_without_a_data_set_says_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(
        ValueError, match=r"holds notes.txt; stillhouse reads class folders .*parquet, arrow and webdataset files"
    ):
        load(tmp_path)

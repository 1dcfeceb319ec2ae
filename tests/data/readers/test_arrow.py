"""Data sets of save_to_disk are read where they lie."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from stillhouse.data import InMemory, load
from stillhouse.data.decode import FilePart
from stillhouse.data.options import LoadOptions
from stillhouse.data.readers import arrow
from stillhouse.data.readers.table import Table
from tests.helpers.pictures import picture, png

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write(
    path: Path, numbers: range, form: str = "stream", names: list[str] | None = None, codec: str | None = None
) -> None:
    """As the `datasets` library does, in batches of two rows"""
    rows = [{"bytes": png(picture(number)), "path": None} for number in numbers]
    table = pa.table({"image": pa.array(rows, IMAGE), "label": pa.array([number % 2 for number in numbers])})
    if names:
        note = {"info": {"features": {"label": {"_type": "ClassLabel", "names": names}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(note)})
    path.parent.mkdir(parents=True, exist_ok=True)
    options = pa.ipc.IpcWriteOptions(compression=codec)
    new = pa.ipc.new_stream if form == "stream" else pa.ipc.new_file
    with path.open("wb") as file, new(file, table.schema, options=options) as writer:
        for batch in table.to_batches(max_chunksize=2):
            writer.write_batch(batch)


@pytest.mark.parametrize("form", ["stream", "file"])
def test_a_saved_data_set_is_read_in_place(tmp_path: Path, form: str) -> None:
    for split, numbers in (("train", range(5)), ("test", range(5, 8))):
        write(tmp_path / split / "data-00000-of-00001.arrow", numbers, form, ["cat", "dog"])
        (tmp_path / split / "state.json").write_text('{"_indices_data_files": null}')
    data = load(tmp_path)
    assert data.classes == ("cat", "dog")
    assert data.train.labels.tolist() == [0, 1, 0, 1, 0]
    assert isinstance(data.train, InMemory)
    for number in range(5):
        assert (data.train.images[number].numpy() == np.asarray(picture(number))).all()
    table = Table(tmp_path, "arrow files", "here")
    arrow.read(table, {"train": [tmp_path / "train" / "data-00000-of-00001.arrow"]}, LoadOptions())
    part = table.splits["train"].images[0]
    assert isinstance(part, FilePart)


def test_class_names_may_lie_beside_the_file(tmp_path: Path) -> None:
    for split, numbers in (("train", range(4)), ("test", range(4, 8))):
        write(tmp_path / split / "data-00000-of-00001.arrow", numbers)
        info = {"features": {"label": {"_type": "ClassLabel", "names": ["cat", "dog"]}, "image": {"_type": "Image"}}}
        (tmp_path / split / "dataset_info.json").write_text(json.dumps(info))
        (tmp_path / split / "cache-123.arrow").write_bytes(b"of the library's own")
    assert load(tmp_path).classes == ("cat", "dog")


def test_a_data_set_without_splits_holds_out_its_own(tmp_path: Path) -> None:
    write(tmp_path / "data-00000-of-00001.arrow", range(20))
    data = load(tmp_path)
    assert len(data.train) + len(data.test) == 20
    assert "held out as the test set by their contents" in data.source
    assert torch.equal(load(tmp_path / "data-00000-of-00001.arrow").test.labels, data.test.labels)


def test_rows_in_another_order_than_the_file_are_refused(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(tmp_path / split / "data-00000-of-00001.arrow", range(4))
        (tmp_path / split / "state.json").write_text('{"_indices_data_files": [{"filename": "indices.arrow"}]}')
    with pytest.raises(
        ValueError, match=r"train keeps its rows in a different order from its files: save it after flatten_in"
    ):
        load(tmp_path)


def test_what_is_no_arrow_file_is_named(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(tmp_path / split / "data-00000-of-00001.arrow", range(4))
    path = tmp_path / "test" / "data-00000-of-00001.arrow"
    whole = path.read_bytes()
    for content in (b"x", b"", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"data-00000-of-00001.arrow is damaged or not an arrow file|rrow"):
            load(tmp_path)


def test_compressed_files_are_refused(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(tmp_path / split / "data-00000-of-00001.arrow", range(4), codec="zstd")
    with pytest.raises(ValueError, match="arrow is compressed: save the data set without compression"):
        load(tmp_path)


def test_rows_without_an_image_are_refused(tmp_path: Path) -> None:
    table = pa.table({"image": pa.array([{"bytes": None, "path": "a.png"}], IMAGE), "label": [0]})
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        with (tmp_path / split / "data-0.arrow").open("wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    with pytest.raises(ValueError, match="the column image has no image in 1 row: save it with its imag"):
        load(tmp_path)


@pytest.mark.parametrize("end", [2**31 - 1, -(2**31)])
def test_labels_that_are_said_to_lie_elsewhere_do_not_crash_python(tmp_path: Path, end: int) -> None:
    images = pa.array([{"bytes": png(picture(n)), "path": None} for n in range(4)], IMAGE)
    table = pa.table({"image": images, "label": pa.array(["cats", "dog", "cats", "dog"])})
    with (tmp_path / "train.arrow").open("wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    content = (tmp_path / "train.arrow").read_bytes()
    ends = np.array([0, 4, 7, 11, 14], np.int32).tobytes()
    assert content.count(ends) == 1
    (tmp_path / "train.arrow").write_bytes(content.replace(ends, np.array([0, end, 7, 11, 14], np.int32).tobytes()))
    with pytest.raises(ValueError, match=r"train.arrow is damaged \("):
        load(tmp_path / "train.arrow")


def test_a_description_that_never_ends_is_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path / "train" / "data.arrow", range(4))
    write(tmp_path / "test" / "data.arrow", range(4, 6))
    os.mkfifo(tmp_path / "train" / "state.json")
    (tmp_path / "test" / "dataset_info.json").write_text("[" * 100_000)
    assert len(load(tmp_path).train) == 4

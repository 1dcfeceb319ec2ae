"""Parquet files as they come from the Hub and from pandas."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from stillhouse.data import Folder, InMemory, LoadOptions, load
from stillhouse.data.readers import parquet
from tests.helpers.pictures import picture, png, write_parquet

NOTE = json.dumps({"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}})


def pngs(*numbers: int, width: int = 8) -> list[bytes]:
    return [png(picture(number, width)) for number in numbers]


def write(folder: Path, note: str = NOTE, test: str = "test") -> None:
    write_parquet(folder / "train-00000-of-00002.parquet", pngs(0, 1, 2, 3), [0, 1, 1, 0], note)
    write_parquet(folder / "train-00001-of-00002.parquet", pngs(4, 5), [1, 0], note)
    write_parquet(folder / f"{test}-00000-of-00001.parquet", pngs(6, 7), [1, 0], note)


def write_table(path: Path, images: Sequence[bytes], labels: pa.Array, column: str = "label") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": pa.array(images, pa.binary()), column: labels}), path)


@pytest.mark.parametrize(("inner", "test"), [(".", "test"), ("data", "validation"), ("plain_text", "test")])
def test_files_in_order_with_names_from_the_note(tmp_path: Path, inner: str, test: str) -> None:
    write(tmp_path / "pets" / inner, test=test)
    data = load(tmp_path / "pets", batch_size=2)
    assert isinstance(data.train, InMemory)
    assert (data.name, data.classes) == ("pets", ("cat", "dog"))
    assert data.train.labels.tolist() == [0, 1, 1, 0, 1, 0]
    assert data.test.labels.tolist() == [1, 0]
    for number in range(6):
        assert (data.train.images[number].numpy() == np.asarray(picture(number))).all()


def test_without_a_note_classes_are_numbered(tmp_path: Path) -> None:
    write(tmp_path, note="")
    assert load(tmp_path, batch_size=2).classes == ("0", "1")


def test_two_files_with_names_in_another_order_are_matched_by_name(tmp_path: Path) -> None:
    write(tmp_path)
    other = NOTE.replace('["cat", "dog"]', '["dog", "cat"]')
    write_parquet(tmp_path / "test-00000-of-00001.parquet", pngs(6, 7), [1, 0], other)
    write_parquet(tmp_path / "train-00001-of-00002.parquet", pngs(4, 5), [1, 0], other)
    data = load(tmp_path)
    assert data.classes == ("cat", "dog")
    assert data.train.labels.tolist() == [0, 1, 1, 0, 0, 1]
    assert data.test.labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (pa.array(["dog", "cat", "dog", "cat"]), ("cat", "dog")),
        (pa.array(["dog", "cat", "dog", "cat"]).dictionary_encode(), ("cat", "dog")),
        (pa.array([True, False, True, False]), ("False", "True")),
        (pa.array([1.0, 0.0, 1.0, 0.0]), ("0", "1")),
        (pa.array([1, 0, 1, 0], pa.uint8()), ("0", "1")),
        (pa.array(["nan", "NA", "nan", "NA"]), ("NA", "nan")),
    ],
)
def test_labels_of_every_type_are_read(tmp_path: Path, labels: pa.Array, classes: tuple[str, ...]) -> None:
    for number, split in enumerate(("train", "test")):
        write_table(tmp_path / f"{split}-0.parquet", pngs(*range(4 * number, 4 * number + 4)), labels)
    data = load(tmp_path)
    assert data.classes == classes
    assert data.train.labels.tolist() == data.test.labels.tolist() == [1, 0, 1, 0]


def test_images_that_are_too_large_for_memory_stay_on_disk(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "test")):
        images = [png(picture(number * 10 + i, 70 + i, 80)) for i in range(4)]
        write_parquet(tmp_path / "pets" / f"{split}-0.parquet", images, [0, 1, 0, 1])
    data = load(tmp_path / "pets", batch_size=2, image_size=32)
    assert isinstance(data.train, Folder)
    (first, *_) = data.test.batches("cpu", 4)
    assert first.images.shape == (4, 3, 32, 32)


def test_many_images_are_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, split in enumerate(("train", "test")):
        images = [png(picture(number * 10 + i, 70 + i, 80)) for i in range(4)]
        write_parquet(tmp_path / "pets" / f"{split}-0.parquet", images, [0, 1, 0, 1])
    options = LoadOptions(image_size=16, download_to=tmp_path / "cache")
    held = [batch.images for batch in load(tmp_path / "pets", options).test.batches("cpu")]
    monkeypatch.setattr(parquet, "IN_MEMORY", 0)
    data = load(tmp_path / "pets", options)
    assert [note.split(" (")[0] for note in data.notes] == [
        f"images are unpacked into {tmp_path / 'cache' / 'unpacked'}"
    ]
    assert all(torch.equal(a, b.images) for a, b in zip(held, data.test.batches("cpu"), strict=True))
    monkeypatch.setattr("stillhouse.data.readers.unpacked.Unpacked.write", lambda *_: pytest.fail("unpacked again"))
    assert load(tmp_path / "pets", options).fingerprint == data.fingerprint


@pytest.mark.parametrize("keep", [0, 3, 200, -20])
def test_a_truncated_file_is_named(tmp_path: Path, keep: int) -> None:
    write(tmp_path)
    path = tmp_path / "train-00001-of-00002.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"train-00001-of-00002.parquet is (damaged .*: download|empty: get) it again"):
        load(tmp_path)


def test_a_damaged_middle_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "train-00000-of-00002.parquet"
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"train-00000-of-00002.parquet"):
        load(tmp_path)


def test_damaged_images_are_named_by_their_rows(tmp_path: Path) -> None:
    write(tmp_path)
    write_parquet(tmp_path / "test-00000-of-00001.parquet", [*pngs(11, 12, 13, 14), b"nothing"], [0] * 5)
    with pytest.raises(ValueError, match=r"^the image in row 4 of .*test-00000-of-00001.parquet cannot be read"):
        load(tmp_path)
    data = load(tmp_path, skip_broken=True)
    assert (len(data.test), data.skipped) == (4, 1)


def test_labels_out_of_range_name_file_and_value(tmp_path: Path) -> None:
    write(tmp_path)
    write_parquet(tmp_path / "test-00000-of-00001.parquet", pngs(11, 12), [0, 2], NOTE)
    with pytest.raises(ValueError, match=r"test-00000-of-00001.parquet holds the label 2, but the 2 class names"):
        load(tmp_path)


def test_images_that_lie_beside_the_file_are_read(tmp_path: Path) -> None:
    write(tmp_path)
    write_parquet(tmp_path / "test-00000-of-00001.parquet", [None, None], [0, 1])  # paths only: 0.png and 1.png
    with pytest.raises(ValueError, match=r"0.png \(is missing\), 1.png|2 of 8 images in .* cannot be read"):
        load(tmp_path)
    for number in range(2):
        picture(20 + number).save(tmp_path / f"{number}.png")
    data = load(tmp_path)
    assert isinstance(data.test, InMemory)
    assert (data.test.images[1].numpy() == np.asarray(picture(21))).all()


def test_rows_without_an_image_are_refused(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_table(tmp_path / f"{split}-0.parquet", [*pngs(1), b""], pa.array([0, 1]))
    table = pa.table({"image": pa.array([None, None], pa.binary()), "label": [0, 1]})
    pq.write_table(table, tmp_path / "test-0.parquet")
    with pytest.raises(
        ValueError, match=r"test-0.parquet: the column image has no image in row 0: save the data set with"
    ):
        load(tmp_path)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    for split in ("train", "test"):
        pq.write_table(pa.table({"photo": [b"a"], "age": [0]}), tmp_path / f"{split}-0.parquet")
    with pytest.raises(
        ValueError, match="has the columns age beside the images; one must hold the classes and be called"
    ):
        load(tmp_path)
    write(tmp_path / "whole")
    with pytest.raises(ValueError, match=r"--label_column species: .*parquet has the columns img, label"):
        load(tmp_path / "whole", label_column="species")


def test_another_column_may_be_named(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "test")):
        table = pa.table({"image": pngs(2 * number, 2 * number + 1), "label": [0, 0], "colour": ["red", "blue"]})
        pq.write_table(table, tmp_path / f"{split}-0.parquet")
    assert load(tmp_path, label_column="colour").classes == ("blue", "red")


def test_a_file_of_the_same_image_again_and_again_is_refused(tmp_path: Path) -> None:
    count = 100_000
    labels = pa.array(np.zeros(count, np.int32))
    images = pa.DictionaryArray.from_arrays(labels, pa.array([b"x"])).cast(pa.binary())
    pq.write_table(pa.table({"image": images, "label": labels}), tmp_path / "train.parquet")
    write_table(tmp_path / "test.parquet", pngs(1, 2), pa.array([0, 1]))
    with pytest.raises(ValueError, match=r"train.parquet claims to hold 100,000 images in [\d,]+ bytes, one over"):
        load(tmp_path)


def test_a_file_that_unpacks_to_far_more_than_it_has_is_refused(tmp_path: Path) -> None:
    table = pa.table({"image": pa.array([*pngs(0), bytes(140 << 20)], pa.binary()), "label": [0, 1]})
    pq.write_table(table, tmp_path / "train.parquet", compression="zstd")
    with pytest.raises(ValueError, match=r"train.parquet unpacks to 0.147 GB of images from [\d,]+ bytes"):
        load(tmp_path / "train.parquet")

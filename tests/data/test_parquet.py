from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillhouse.data import InMemory, load, parquet
from stillhouse.data.cifar100_names import CIFAR100_NAMES
from tests.helpers.pictures import picture, png, write_parquet

NOTE = json.dumps({"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}})


def pngs(*numbers: int, width: int = 8) -> list[bytes]:
    return [png(picture(number, width)) for number in numbers]


def write(folder: Path, note: str = NOTE, test: str = "test") -> None:
    write_parquet(folder / "train-00000-of-00002.parquet", pngs(0, 1, 2, 3), [0, 1, 1, 0], note)
    write_parquet(folder / "train-00001-of-00002.parquet", pngs(4, 5), [1, 0], note)
    write_parquet(folder / f"{test}-00000-of-00001.parquet", pngs(6, 7), [1, 0], note)


@pytest.mark.parametrize(("inner", "test"), [(".", "test"), ("data", "validation")])
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
    write(tmp_path, note="no json")
    assert load(tmp_path, batch_size=2).classes == ("0", "1")


def test_cifar100_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for split in ("train", "test"):
        write_parquet(tmp_path / f"{split}-0.parquet", pngs(*range(100), width=32), range(100), "", "fine_label")
    data = load(tmp_path)
    assert (data.name, data.classes) == (tmp_path.name, CIFAR100_NAMES)  # only a part
    monkeypatch.setattr(parquet, "CIFAR_IMAGES", (100, 100))
    assert load(tmp_path).name == "cifar100"
    assert (data.mean, data.std) == ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761))


def test_cifar10_is_recognised_by_the_folders_name(tmp_path: Path) -> None:
    for name in ("cifar-10", "letters"):
        for split in ("train", "test"):
            write_parquet(tmp_path / name / f"{split}-0.parquet", pngs(*range(10), width=32), range(10))
    assert load(tmp_path / "cifar-10").mean == (0.4914, 0.4822, 0.4465)
    assert load(tmp_path / "letters").mean != (0.4914, 0.4822, 0.4465)


def test_the_names_are_the_hundred_in_alphabetical_order() -> None:
    assert len(set(CIFAR100_NAMES)) == 100
    assert list(CIFAR100_NAMES) == sorted(CIFAR100_NAMES)
    # From the file names of the test images "wolf_cub_s_000465", "hamster_s_000600", "rose_s_001614" and their labels.
    assert [CIFAR100_NAMES[label] for label in (97, 36, 70)] == ["wolf", "hamster", "rose"]


@pytest.mark.parametrize("keep", [0, 3, 200, -20])
def test_a_truncated_file_is_named(tmp_path: Path, keep: int) -> None:
    write(tmp_path)
    path = tmp_path / "train-00001-of-00002.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"train-00001-of-00002.parquet is damaged .* Download it again"):
        load(tmp_path)


def test_a_damaged_middle_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "train-00000-of-00002.parquet"
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"train-00000-of-00002.parquet"):
        load(tmp_path)


def test_a_damaged_image_is_named_by_its_row(tmp_path: Path) -> None:
    write(tmp_path)
    write_parquet(tmp_path / "test-00000-of-00001.parquet", [*pngs(1, 2, 3, 4), b"nothing"], [0] * 5)
    with pytest.raises(ValueError, match=r"The image in row 4 of .*test-00000-of-00001.parquet cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize("value", [-1, 2])
def test_labels_out_of_range_name_split_and_value(tmp_path: Path, value: int) -> None:
    write(tmp_path)
    write_parquet(tmp_path / "test-00000-of-00001.parquet", pngs(1, 2), [0, value])
    with pytest.raises(ValueError, match=f"The test split of {tmp_path.name} holds the label {value}"):
        load(tmp_path)


def test_missing_values_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    write_parquet(tmp_path / "test-00000-of-00001.parquet", pngs(1, 2), [0, None])
    with pytest.raises(ValueError, match=r"test-00000-of-00001.parquet: the column label holds None"):
        load(tmp_path)
    write_parquet(tmp_path / "test-00000-of-00001.parquet", [None, None], [0, 1])
    with pytest.raises(ValueError, match="the column img has rows without the bytes of an image file"):
        load(tmp_path)


def test_plain_binary_columns_are_read(tmp_path: Path) -> None:
    for split in ("train", "test"):
        table = pa.table({"image": pa.array(pngs(1, 2), pa.binary()), "label": [0, 1]})
        pq.write_table(table, tmp_path / f"{split}-0.parquet")
    data = load(tmp_path)
    assert isinstance(data.test, InMemory)
    assert (data.test.images[1].numpy() == np.asarray(picture(2))).all()


def test_missing_columns_and_files_are_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"photo": [b""], "label": [0]}), tmp_path / "train-0.parquet")
    with pytest.raises(ValueError, match=r"parquet files \(train-0.parquet\) but no test-\*.parquet"):
        load(tmp_path)
    pq.write_table(pa.table({"photo": [b""], "label": [0]}), tmp_path / "test-0.parquet")
    with pytest.raises(ValueError, match="has the columns photo, label; the image column must be called img or image"):
        load(tmp_path)


def test_sizes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    test = tmp_path / "test-00000-of-00001.parquet"
    write_parquet(test, [*pngs(1), *pngs(2, width=9)], [0, 1])
    with pytest.raises(ValueError, match=r"different sizes \(8x8 and 9x9 pixels\). Write them to class folders"):
        load(tmp_path)
    write_parquet(test, pngs(1, 2, width=9), [0, 1])
    with pytest.raises(ValueError, match="training images are 8x8, test images 9x9 pixels"):
        load(tmp_path)
    write_parquet(test, pngs(1, 2, width=65), [0, 1])
    with pytest.raises(ValueError, match=r"holds images of 65x65 pixels; .* up to 64 pixels"):
        load(tmp_path)
    write_parquet(test, [], [])
    with pytest.raises(ValueError, match="holds no images"):
        load(tmp_path)

"""CIFAR in tables has the names and statistics of the archives."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillhouse.data import load
from stillhouse.data.readers import cifar_tables
from stillhouse.data.readers.cifar100_names import CIFAR100_NAMES
from tests.helpers.pictures import picture, png, write_parquet


def write(folder: Path, count: int, label_column: str = "label") -> Path:
    for offset, split in enumerate(("train", "test")):
        images = [png(picture(1000 * offset + number, 32)) for number in range(count)]
        write_parquet(folder / f"{split}-0.parquet", images, range(count), "", label_column)
    return folder


def test_cifar100_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load(write(tmp_path, 100, "fine_label"))
    assert (data.name, data.classes) == (tmp_path.name, CIFAR100_NAMES)  # only a part
    monkeypatch.setattr(cifar_tables, "_IMAGES", (100, 100))
    assert load(tmp_path).name == "cifar100"
    assert (data.mean, data.std) == ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761))


def test_cifar10_is_recognised_by_the_name_of_a_folder(tmp_path: Path) -> None:
    for name in ("cifar-10", "cifar10/plain_text", "letters"):
        write(tmp_path / name, 10)
    assert load(tmp_path / "cifar-10").mean == load(tmp_path / "cifar10").mean == (0.4914, 0.4822, 0.4465)
    assert load(tmp_path / "cifar10" / "plain_text").mean == (0.4914, 0.4822, 0.4465)
    assert load(tmp_path / "letters").mean != (0.4914, 0.4822, 0.4465)


def test_the_names_are_the_hundred_in_alphabetical_order() -> None:
    assert len(set(CIFAR100_NAMES)) == 100
    assert list(CIFAR100_NAMES) == sorted(CIFAR100_NAMES)
    # From the file names of the test images "wolf_cub_s_000465", "hamster_s_000600", "rose_s_001614" and their labels.
    assert [CIFAR100_NAMES[label] for label in (97, 36, 70)] == ["wolf", "hamster", "rose"]

"""Images unpacked to disk are found again, and made anew when their file changes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from stillhouse.data.readers.unpacked import Unpacked

IMAGES = [b"one", b"", b"three"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "train.parquet"
    path.write_bytes(b"compressed")
    return path


def unpacked(table: Path) -> Unpacked:
    return Unpacked(table.parent / "store", table, "image")


def test_images_lie_one_behind_another(table: Path) -> None:
    assert not unpacked(table).is_complete
    unpacked(table).write(iter(IMAGES))
    again = unpacked(table)
    assert again.is_complete
    content = again.file.read_bytes()
    assert [content[start : start + size] for start, size in again.parts()] == IMAGES


def test_a_changed_file_is_unpacked_anew_and_the_old_images_go(table: Path) -> None:
    unpacked(table).write(iter(IMAGES))
    os.utime(table, ns=(1, 1))
    assert not unpacked(table).is_complete
    unpacked(table).write(iter([b"new"]))
    assert len(list((table.parent / "store").iterdir())) == 2


@pytest.mark.parametrize("keep", [0, 3])
def test_what_is_cut_off_is_unpacked_anew(table: Path, keep: int) -> None:
    unpacked(table).write(iter(IMAGES))
    file = unpacked(table).file
    file.write_bytes(file.read_bytes()[:keep])
    assert not unpacked(table).is_complete


class Usage(NamedTuple):
    free: int


def test_a_full_disk_is_a_sentence_and_leaves_nothing(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(free=10))
    with pytest.raises(
        ValueError, match=r"^the images cannot be unpacked to \S+/store \(256 MB stay free\): make room"
    ):
        unpacked(table).write(iter(IMAGES))
    assert list((table.parent / "store").iterdir()) == []

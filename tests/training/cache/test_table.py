"""Rows in a file: each is there as it was written, or not there."""

import os
from pathlib import Path

import numpy as np
import pytest

from stillhouse.training.cache.table import Table


def test_a_row_with_any_byte_missing_or_changed_is_not_there(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((3, 5), np.float32).view(np.uint32)
    table = Table(tmp_path / "a.rows", 9, 5)
    rows = np.array([7, 2, 3])
    assert not table.read(np.arange(9))[1].any()
    table.write(rows, values)
    assert np.array_equal(table.read(rows)[0], values)
    assert table.read(np.arange(9))[1].nonzero()[0].tolist() == [2, 3, 7]
    whole = (tmp_path / "a.rows").read_bytes()
    assert len(whole) == 9 * 24
    for position in range(2 * 24, 3 * 24):
        for byte in (0, whole[position] ^ 1):
            if byte != whole[position]:
                (tmp_path / "b.rows").write_bytes(whole[:position] + bytes([byte]) + whole[position + 1 :])
                assert Table(tmp_path / "b.rows", 9, 5).read(np.arange(9))[1].nonzero()[0].tolist() == [3, 7]
    (tmp_path / "b.rows").write_bytes(whole[24:] + whole[:24])  # everything one row off
    assert not Table(tmp_path / "b.rows", 9, 5).read(np.arange(9))[1].any()
    (tmp_path / "b.rows").write_bytes(whole[:-1])
    with pytest.raises(ValueError, match=r"b\.rows has 215 bytes, not the 216 of this teacher's outputs; remove"):
        Table(tmp_path / "b.rows", 9, 5)


def test_rows_of_zeros_are_told_from_holes(tmp_path: Path) -> None:
    table = Table(tmp_path / "a.rows", 4, 3)
    table.write(np.array([1]), np.zeros((1, 3), np.uint32))
    assert table.read(np.arange(4))[1].tolist() == [False, True, False, False]


def test_rows_are_read_in_any_order_and_any_number_of_times(tmp_path: Path) -> None:
    table = Table(tmp_path / "a.rows", 50, 3)
    values = np.random.default_rng(0).integers(0, 2**32, (50, 3), np.uint32)
    table.write(np.arange(50), values)
    for rows in ([], [7], [3, 4, 5], [5, 4, 3], [9, 9, 10, 0, 1, 49, 2]):
        read, there = table.read(np.array(rows, np.int64))
        assert np.array_equal(read, values[rows])
        assert there.all()


def test_a_file_that_is_cut_off_meanwhile_has_lost_rows_and_nothing_else(tmp_path: Path) -> None:
    table = Table(tmp_path / "a.rows", 9, 5)
    table.write(np.arange(9), np.ones((9, 5), np.uint32))
    os.truncate(tmp_path / "a.rows", 4 * 24 + 10)
    assert table.read(np.arange(9))[1].tolist() == [True] * 4 + [False] * 5


def test_a_write_that_is_cut_short_says_that_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, write = Table(tmp_path / "a.rows", 9, 5), os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, content, offset: write(file, content[:30], offset))
    with pytest.raises(OSError, match="No space left on device"):
        table.write(np.arange(9), np.ones((9, 5), np.uint32))
    assert table.read(np.arange(9))[1].tolist() == [True] + [False] * 8

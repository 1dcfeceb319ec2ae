from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from stillhouse.data.named import matlab
from stillhouse.data.named.matlab import load_mat, numbers


def write(path: Path) -> Path:
    savemat(path, {"X": np.arange(6).reshape(2, 3), "y": np.ones((3, 1)), "words": "text"})
    return path


def test_the_arrays_of_these_names_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mat")
    y, x = load_mat(path, "y", "X")
    assert (x.tolist(), y.shape) == ([[0, 1, 2], [3, 4, 5]], (3, 1))
    assert load_mat(tmp_path / "archive" / "a.mat", "X", content=path.read_bytes())[0].tolist() == x.tolist()


def test_files_that_are_missing_damaged_or_enormous_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"a.mat is missing or not a file"):
        load_mat(tmp_path / "a.mat", "X")
    path = write(tmp_path / "a.mat")
    with pytest.raises(ValueError, match=r"a.mat holds no array Z"):
        load_mat(path, "X", "Z")
    whole = path.read_bytes()
    for damaged in (b"", whole[:100], whole[:250], b"hello" * 100):
        path.write_bytes(damaged)
        with pytest.raises(
            ValueError, match=r"a.mat is damaged or not a MATLAB file \(.*\): get it again|holds no array"
        ):
            load_mat(path, "X")
    monkeypatch.setattr(matlab, "_MOST", 5)
    with pytest.raises(ValueError, match=r"an array of it is said to be enormous"):
        load_mat(write(path), "X")
    monkeypatch.setattr(matlab, "_LARGEST", 10)
    with pytest.raises(ValueError, match=r"a.mat has \d+ bytes, more than it ever has"):
        load_mat(path, "X")


@pytest.mark.parametrize("array", [[], [0], [4], [1.5], [np.nan], ["x"], [True]])
def test_only_whole_numbers_in_range_are_numbers(array: list[object]) -> None:
    assert numbers(np.array([[1.0, 3.0]]), Path("a.mat"), 1, 3) == [1, 3]
    with pytest.raises(ValueError, match=r"a.mat holds something other than whole numbers from 1 to 3"):
        numbers(np.array(array), Path("a.mat"), 1, 3)

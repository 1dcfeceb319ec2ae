from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from torchvision import datasets

from stillhouse.data import InMemory, load
from tests.data.named.layouts import write_svhn
from tests.helpers.archives import assert_same


def test_torchvision_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_svhn(tmp_path)
    monkeypatch.setattr(datasets.SVHN, "_check_integrity", lambda self: True)
    data = load(tmp_path)
    for ours, split in ((data.train, "train"), (data.test, "test")):
        assert_same(ours, datasets.SVHN(str(tmp_path), split))
    assert data.train.labels.tolist()[8:11] == [9, 0, 1]
    assert data.name == "svhn"
    assert "the 531,131 extra images of SVHN are left out" in data.notes


def test_digits_are_not_mirrored(tmp_path: Path) -> None:
    write_svhn(tmp_path)
    train = load(tmp_path).train
    assert isinstance(train, InMemory)
    assert train.num_views == 81


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((32, 32, 3, 4), np.uint8), [1, 2, 3], "holds 4 images but 3 labels"),
        (np.zeros((32, 32, 3, 4), np.uint8), [1, 2, 3, 11], "something other than whole numbers from 0 to 10"),
        (np.zeros((28, 28, 3, 4), np.uint8), [1, 2, 3, 4], "holds no images of 32x32"),
        (np.zeros((32, 32, 3, 4)), [1, 2, 3, 4], "holds no images of 32x32"),
    ],
)
def test_files_of_something_else_are_refused(
    tmp_path: Path, images: np.ndarray, labels: list[int], message: str
) -> None:
    write_svhn(tmp_path)
    savemat(tmp_path / "test_32x32.mat", {"X": images, "y": np.array(labels)[:, None]})
    with pytest.raises(ValueError, match=rf"test_32x32.mat {message}|test_32x32.mat holds {message}"):
        load(tmp_path)

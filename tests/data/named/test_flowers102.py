from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from torchvision import datasets

from stillhouse.data import load
from tests.data.named.layouts import write_flowers
from tests.helpers.archives import assert_same


def test_torchvision_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_flowers(tmp_path / "flowers-102")
    monkeypatch.setattr(datasets.Flowers102, "_check_integrity", lambda self: True)
    data = load(tmp_path)
    assert data.validation is not None
    for ours, split in ((data.train, "train"), (data.validation, "val"), (data.test, "test")):
        theirs = datasets.Flowers102(str(tmp_path), split)
        assert_same(ours, theirs)
    assert list(data.classes) == theirs.classes
    assert data.train.labels.tolist() == [1, 101, 0, 0, 1]
    assert data.name == "flowers102"


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("imagelabels.mat", {"labels": [[1, 103]]}, r"imagelabels.mat holds something other than .* from 1 to 102"),
        ("setid.mat", {"trnid": [[1]], "valid": [[2]], "tstid": [[10]]}, r"setid.mat holds .* from 1 to 9"),
        ("setid.mat", {"trnid": [[1]], "valid": [[2]]}, r"setid.mat holds no array tstid"),
        ("setid.mat", {"trnid": [[1]], "valid": [[2]], "tstid": [[1]]}, r"name 1 image twice"),
    ],
)
def test_lists_that_cannot_be_meant_are_refused(
    tmp_path: Path, file: str, content: dict[str, list[list[int]]], message: str
) -> None:
    write_flowers(tmp_path)
    savemat(tmp_path / file, {name: np.array(array) for name, array in content.items()})
    with pytest.raises(ValueError, match=message):
        load(tmp_path)

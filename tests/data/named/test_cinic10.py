from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from torchvision.datasets import ImageFolder

from stillhouse.data import load
from tests.data.named.layouts import write_cinic
from tests.helpers.archives import assert_same


def test_the_three_splits_are_those_of_torchvisions_folder(tmp_path: Path) -> None:
    write_cinic(tmp_path / "CINIC-10")
    data = load(tmp_path)
    assert data.validation is not None
    for ours, split in ((data.train, "train"), (data.validation, "valid"), (data.test, "test")):
        theirs = ImageFolder(str(tmp_path / "CINIC-10" / split))
        assert_same(ours, theirs)
    assert (data.name, list(data.classes)) == ("cinic10", theirs.classes)


def test_normalisation_is_the_published_one(tmp_path: Path) -> None:
    write_cinic(tmp_path)
    data = load(tmp_path)
    assert data.mean == (0.47889522, 0.47227842, 0.43047404)
    assert data.std == (0.24205776, 0.23828046, 0.25874835)


def test_a_folder_with_other_classes_is_an_ordinary_one(tmp_path: Path) -> None:
    write_cinic(tmp_path)
    for split in ("train", "valid", "test"):
        shutil.rmtree(tmp_path / split / "truck")
    assert load(tmp_path).name == tmp_path.name
    write_cinic(tmp_path)
    (tmp_path / "train" / "zebra").mkdir()
    shutil.copy(next((tmp_path / "train" / "truck").iterdir()), tmp_path / "train" / "zebra")
    with pytest.raises(ValueError, match="zebra"):
        load(tmp_path)


def test_copies_between_the_splits_are_said(tmp_path: Path) -> None:
    write_cinic(tmp_path)
    shutil.copy(tmp_path / "train" / "cat" / "n00000003_00.png", tmp_path / "test" / "cat" / "n00000003_20.png")
    (note,) = (note for note in load(tmp_path).notes if "byte for byte" in note)
    assert note.startswith("1 of 20 test images are training images as well")

from __future__ import annotations

from pathlib import Path

import pytest
from torchvision import datasets

from stillhouse.data import load
from tests.data.named.layouts import write_stl
from tests.helpers.archives import assert_same


def test_torchvision_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_stl(tmp_path / "stl10_binary")
    monkeypatch.setattr(datasets.STL10, "_check_integrity", lambda self: True)
    data = load(tmp_path)
    for ours, split in ((data.train, "train"), (data.test, "test")):
        theirs = datasets.STL10(str(tmp_path), split)
        assert_same(ours, theirs)
    assert list(data.classes) == theirs.classes
    assert (data.name, data.info.image_size) == ("stl10", 96)
    assert "the 100,000 images of STL-10 without labels are left out" in data.notes


def test_images_can_be_made_smaller(tmp_path: Path) -> None:
    write_stl(tmp_path)
    assert load(tmp_path, image_size=32).info.image_size == 32
    with pytest.raises(ValueError, match="--image_size must be 8 to 96, not 224"):
        load(tmp_path, image_size=224)


@pytest.mark.parametrize("file", ["train_X.bin", "train_y.bin", "class_names.txt", "test_X.bin"])
@pytest.mark.parametrize("change", ["cut", "emptied", "longer"])
def test_files_of_another_size_are_refused(tmp_path: Path, file: str, change: str) -> None:
    write_stl(tmp_path)
    whole = (tmp_path / file).read_bytes()
    new = {"cut": whole[:-1], "emptied": b"", "longer": whole + b"\x01"}[change]
    if file == "class_names.txt":
        new = whole.replace(b"truck\n", b"")
    (tmp_path / file).write_bytes(new)
    with pytest.raises(ValueError, match=r"which is no number of images|images but \d+ labels|the label 9, but the 9"):
        load(tmp_path)

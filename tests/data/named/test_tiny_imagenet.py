from __future__ import annotations

import re
from pathlib import Path

from torchvision.datasets import ImageFolder

from stillhouse.data import InMemory, load
from tests.data.named.layouts import WNIDS, write_tiny
from tests.helpers.archives import assert_same


def test_training_images_are_those_of_torchvisions_folder_and_val_goes_by_its_annotations(tmp_path: Path) -> None:
    write_tiny(tmp_path / "tiny-imagenet-200")
    data = load(tmp_path)
    theirs = ImageFolder(str(tmp_path / "tiny-imagenet-200" / "train"))
    assert_same(data.train, theirs)
    assert (data.name, list(data.classes)) == ("tiny_imagenet", theirs.classes)
    assert data.classes == tuple(sorted(WNIDS))
    assert isinstance(data.test, InMemory)
    assert data.test.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert [int(image.float().mean((0, 1)).argmax()) for image in data.test.images] == [0, 1, 2, 0, 1, 2]
    assert any(note.startswith("test is not used: ") for note in data.notes)


def test_annotations_in_another_order_change_nothing_and_other_ones_are_not_remembered(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    before = load(tmp_path).fingerprint
    path = tmp_path / "val" / "val_annotations.txt"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    assert load(tmp_path).fingerprint == before
    path.write_text(re.sub(r"(val_0.JPEG\t)\w+", rf"\1{WNIDS[2]}", path.read_text()))
    assert load(tmp_path).test.labels.tolist() == [2, 1, 2, 0, 1, 2]

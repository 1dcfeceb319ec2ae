from __future__ import annotations

from pathlib import Path

import pytest
from torchvision import datasets

from stillhouse.data import load
from tests.data.named.layouts import write_pets
from tests.helpers.archives import assert_same


def test_torchvision_reads_the_same(tmp_path: Path) -> None:
    write_pets(tmp_path / "oxford-iiit-pet")
    data = load(tmp_path)
    for ours, split in ((data.train, "trainval"), (data.test, "test")):
        theirs = datasets.OxfordIIITPet(str(tmp_path), split)
        assert_same(ours, theirs)
    assert [name.replace("_", " ").title() for name in data.classes] == theirs.classes
    assert (data.name, data.classes) == ("pets", ("Abyssinian", "american_bulldog", "yorkshire_terrier"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Abyssinian_500 1", "Abyssinian_500 2", r"test.txt: class 2 is american_bulldog and Abyssinian"),
        ("Abyssinian_500 1", "Abyssinian_500 38", r"test.txt holds '38' where a number from 1 to 37"),
        ("Abyssinian_500 1", "Bengal_500 5", r"the lists name no images of class \[4\]"),
        ("Abyssinian_500 1 1 1", "Abyssinian_500", r"test.txt, line 1, holds 1 of 4 values"),
        ("Abyssinian_500", "/etc/Abyssinian_500", r"class 1 is Abyssinian and /etc/Abyssinian"),
        ("Abyssinian_500 1", "../x_500 4", r"name '../x_500.jpg', which leads out of the folder"),
    ],
)
def test_lists_that_cannot_be_meant_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    write_pets(tmp_path)
    path = tmp_path / "annotations" / "test.txt"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=message):
        load(tmp_path)

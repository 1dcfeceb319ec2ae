from __future__ import annotations

from pathlib import Path

import pytest
from torchvision import datasets

from stillhouse.data import load
from tests.data.named.layouts import write_food
from tests.helpers.archives import assert_same


def test_torchvision_reads_the_same(tmp_path: Path) -> None:
    write_food(tmp_path / "food-101")
    data = load(tmp_path)
    for ours, split in ((data.train, "train"), (data.test, "test")):
        theirs = datasets.Food101(str(tmp_path), split)
        assert_same(ours, theirs)
    assert list(data.classes) == theirs.classes == ["apple_pie", "tacos", "waffles"]
    assert data.name == "food101"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"train.json is damaged"),
        ("[" * 100_000, r"train.json is damaged"),
        ("[1, 2]", r"train.json holds no lists of images by class"),
        ('{"a": "b"}', r"train.json holds no lists of images by class"),
        ('{"a": [1]}', r"train.json holds no lists of images by class"),
        ('{"tacos": ["tacos/1"]}', r"train.json and test.json name other classes"),
        ('{"waffles": ["../../x"], "tacos": ["tacos/1"], "apple_pie": []}', r"name '../../x.jpg', which leads out"),
    ],
)
def test_lists_that_cannot_be_meant_are_refused(tmp_path: Path, text: str, message: str) -> None:
    write_food(tmp_path)
    (tmp_path / "meta" / "train.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        load(tmp_path)

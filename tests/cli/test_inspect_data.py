"""`stillhouse inspect DATA`: what a data set holds, in a table and pictures."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image

from stillhouse.__main__ import main
from stillhouse.cli.inspect_data import balance
from stillhouse.cli.options.inspect_data import names_data
from stillhouse.cli.summary.filled import LIST
from stillhouse.data import load
from tests.helpers.pictures import picture


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three classes of 6, 2 and 1 training images and one test image each, of two sizes."""
    for split, sizes in (("train", (6, 2, 1)), ("val", (1, 1, 1))):
        for name, count in zip(("ant", "bee", "cat"), sizes, strict=True):
            folder = tmp_path / "pictures" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                picture(hash((split, name, i)) % 2**31, 80 + 10 * (i % 2), 70).save(folder / f"{i}.png")
    return tmp_path / "pictures"


def test_a_folder_of_images_is_shown(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["inspect", str(pictures), "--image_size", "72", "--crop", "shifted", "--folder", str(tmp_path / "out")]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "9 of the images on disk: 80x70 to 90x70 pixels, 80x70 in the middle" in said
    assert "3 classes, of 1 (cat) to 6 (ant) training images, 6 times as many; half have 2 or more" in said
    folder = tmp_path / "out" / "pictures-inspection"
    names = {"classes.csv", *(f"{name}.{kind}" for name in ("sheet", "class_sizes") for kind in ("png", "svg", "pdf"))}
    assert {file.name for file in folder.iterdir()} - {LIST} == names
    rows = list(csv.reader((folder / "classes.csv").read_text().splitlines()))
    assert rows[0] == ["class", "training", "test", "% of training"]
    assert [row[:3] for row in rows[1:]] == [["ant", "6", "1"], ["bee", "2", "1"], ["cat", "1", "1"]]
    with Image.open(folder / "sheet.png") as image:
        assert image.width > 1000


def test_equal_classes_are_said_to_be_equal(pictures: Path) -> None:
    data = load(pictures, image_size=72)
    assert balance(data).startswith("3 classes, of 1 (cat) to 6 (ant)")
    for name in ("bee", "cat"):
        for i in range(2, 6):
            picture(i, 80, 70).save(pictures / "train" / name / f"{i}.png")
    for i in range(6):
        picture(900 + i, 80, 70).save(pictures / "train" / "cat" / f"{i}.png")
    assert balance(load(pictures, image_size=72)) == "3 classes of 6 training images each"


def test_data_and_runs_are_told_apart(pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text("data: digits\n")
    assert names_data(["digits", "--image_size", "16"])
    assert names_data([str(pictures)])
    assert names_data(["mine.py:squares"])
    assert not names_data([str(run)])
    assert not names_data([str(tmp_path / "nowhere")])
    (tmp_path / "empty").mkdir()
    assert not names_data([str(tmp_path / "empty")])
    assert not names_data(["--help"])
    assert not names_data([])

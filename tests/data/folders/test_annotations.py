from __future__ import annotations

from pathlib import Path

import pytest

from stillhouse.data import load
from stillhouse.data.folders.annotations import annotated
from stillhouse.data.folders.tree import Tree
from tests.helpers.pictures import write_folders


def told(root: Path, text: str, name: str = "val_annotations.txt") -> dict[str, int] | None:
    write_folders(root, "images")
    (root / name).write_text(text)
    found = annotated(Tree(), str(root), ["n01", "n02"])
    assert found is None or found[1] == name
    return None if found is None else {image.name: label for image, label in found[0]}


@pytest.mark.parametrize(
    "text",
    [
        "0.png\tn02\t0\t0\t62\t62\n1.png\tn01\t52\t55\t57\t59\n",
        "file,label\n0.png,n02\n1.png,n01\n",
        "images/0.png n02\nimages/1.png n01",
        '"1.png","n01"\n"0.png","n02"\n"9.png","n02"\n',
    ],
)
def test_each_line_is_an_image_and_its_class(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text) == {"images/0.png": 1, "images/1.png": 0}


@pytest.mark.parametrize("text", ["", "0.png\tn02\n", "0.png\tn02\n1.png\tn03\n", "\x00\xff binary"])
def test_a_file_that_does_not_tell_all_classes_is_none(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text) is None


def test_a_file_without_the_suffix_of_text_is_none(tmp_path: Path) -> None:
    assert told(tmp_path, "0.png n02\n1.png n01\n", "annotations") is None


def test_tiny_imagenet_is_read(tmp_path: Path) -> None:
    write_folders(tmp_path, "train/n01/images", "train/n02/images", "val/images", "test/images", count=3)
    (tmp_path / "val" / "val_annotations.txt").write_text(
        "".join(f"{i}.png\tn0{1 + i % 2}\t0\t0\t9\t9\n" for i in range(3))
    )
    (tmp_path / "train" / "n01" / "n01_boxes.txt").write_text("0.png\t0\t0\t9\t9\n")
    data = load(tmp_path)
    assert (data.classes, len(data.train), data.test.labels.tolist()) == (("n01", "n02"), 6, [0, 1, 0])
    assert "val: the classes of its images are those in val_annotations.txt" in data.notes
    assert "test is not used: it holds the folder images (3 images), but no class folders" in data.notes

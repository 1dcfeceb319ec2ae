from __future__ import annotations

from pathlib import Path

import pytest

from stillhouse.data import Folder, load
from tests.data.named.layouts import write_cub


def test_the_lists_tell_classes_and_splits(tmp_path: Path) -> None:
    write_cub(folder := tmp_path / "CUB_200_2011")
    data = load(folder)
    assert (data.name, data.classes[2]) == ("cub200", "003.Sooty_Albatross")
    assert isinstance(data.train, Folder)
    assert isinstance(data.test, Folder)
    names = [f"Bird_{n:04d}.jpg" for n in range(12)]
    assert [path.name for path in data.train.paths if isinstance(path, Path)] == [*names[:6], *names[9:]]
    assert [path.name for path in data.test.paths if isinstance(path, Path)] == names[6:9]
    assert data.train.labels.tolist() == [0, 1, 2] * 3
    assert data.notes == (
        "this is a part of CUB-200-2011: 9 training images and 3 test images, published are 5,994 training images and "
        "5,794 test images",
    )


def test_the_folder_above_is_read_too_and_grey_images_are_images(tmp_path: Path) -> None:
    write_cub(tmp_path / "CUB_200_2011")
    assert load(tmp_path).fingerprint == load(tmp_path / "CUB_200_2011").fingerprint


def test_listed_images_that_are_missing_are_refused_or_counted(tmp_path: Path) -> None:
    write_cub(tmp_path)
    (tmp_path / "images" / "002.Laysan_Albatross" / "Bird_0004.jpg").unlink()
    with pytest.raises(ValueError, match=r"Bird_0004.jpg .* or leave it out with --skip_broken true"):
        load(tmp_path)
    assert load(tmp_path, skip_broken=True).skipped == 1


def test_images_that_no_list_names_are_counted(tmp_path: Path) -> None:
    write_cub(tmp_path)
    lines = (tmp_path / "images.txt").read_text().splitlines(keepends=True)
    (tmp_path / "images.txt").write_text("".join(lines[:-1]))
    note = "left out 1 image that images.txt and train_test_split.txt do not name: Bird_0011.jpg"
    assert note in load(tmp_path).notes


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("images.txt", "1 001.", "1 ../../001.", r"name '../../001.*', which leads out of the folder"),
        ("images.txt", "1 001.", "1 /etc/001.", r"name '/etc/001.*', which leads out of the folder"),
        ("image_class_labels.txt", "1 1\n", "1 4\n", r"image_class_labels.txt holds '4' where a number from 1 to 3"),
        ("image_class_labels.txt", "1 1\n", "1 x\n", r"holds 'x' where a number"),
        ("image_class_labels.txt", "1 1\n", "", r"image 1 has no class or no split"),
        ("train_test_split.txt", "1 1\n", "1 2\n", r"holds '2' where a number from 0 to 1"),
        ("train_test_split.txt", "1 1\n", "1\n", r"train_test_split.txt, line 1, holds 1 of 2 values"),
        ("images.txt", "Bird_0001", "Bird_0004", r"name 1 image twice"),
    ],
)
def test_lists_that_cannot_be_meant_are_refused(tmp_path: Path, file: str, old: str, new: str, message: str) -> None:
    write_cub(tmp_path)
    path = tmp_path / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        load(tmp_path)

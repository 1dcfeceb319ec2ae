from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from stillhouse.data import LoadOptions, image_folder, load
from stillhouse.data.image_files import Files, alike, duplicates, look_into, take
from tests.helpers.pictures import write_folders


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_folders(tmp_path / "pets", "train/a", "train/b", "val/a", "val/b", count=3)


def read(root: Path, skip_broken: bool = False) -> Files:
    return look_into(image_folder.find(root), LoadOptions(skip_broken=skip_broken))


def test_contents_are_those_of_all_images_in_order(root: Path) -> None:
    files = read(root)
    assert len(files.contents) == len(files.paths) == 12
    assert [files.name(path) for path in files.paths[:4]] == [
        "train/a/0.png",
        "train/a/1.png",
        "train/a/2.png",
        "train/b/0.png",
    ]
    assert len({content.digest for content in files.contents}) == 12
    assert files.notes == ()


def test_all_broken_files_are_named_at_once(root: Path) -> None:
    whole = (root / "train/a/0.png").read_bytes()
    (root / "train/a/0.png").write_bytes(whole[: len(whole) // 2])
    (root / "train/b/1.png").write_bytes(b"")
    (root / "val/b/2.png").write_text("<html>429 Too many requests</html>")
    (root / "val/a/1.png").unlink()
    os.symlink("/gone.png", root / "val/a/1.png")
    os.mkfifo(root / "val/a/pipe.png")
    with pytest.raises(ValueError, match=f"^5 of 13 images in {root} cannot be read: ") as error:
        read(root)
    said = str(error.value)
    for name in ("train/a/0.png (", "train/b/1.png (", "val/b/2.png (", "val/a/pipe.png (is a pipe"):
        assert name in said
    assert "val/a/1.png (is a link to /gone.png, which is missing: restore the file, or delete the link)" in said
    assert said.endswith("replace or delete them, or leave them out with --skip_broken true")
    assert "(cannot be read as" not in said


def test_one_broken_file_is_a_sentence(root: Path) -> None:
    (root / "val/b/2.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"^\S+/b/2.png cannot be read .*, or leave it out with --skip_broken true$"):
        read(root)


def test_broken_files_are_skipped_and_counted_on_request(root: Path) -> None:
    whole = read(root)
    (root / "train/a/1.png").write_bytes(b"")
    (root / "val/b/2.png").write_bytes(b"")
    files = read(root, skip_broken=True)
    assert files.skipped == 2
    assert files.notes == ("left out 2 of 12 images, which cannot be read: train/a/1.png and val/b/2.png",)
    assert files.train == tuple(path for path in whole.train if whole.name(path) != "train/a/1.png")
    assert files.train_labels.tolist() == [0, 0, 1, 1, 1]
    assert files.test_labels.tolist() == [0, 0, 0, 1, 1]
    kept = [0, 2, 3, 4, 5]
    assert files.train_keys.tolist() == whole.train_keys[kept].tolist()
    assert files.contents == tuple(whole.contents[i] for i in (*kept, 6, 7, 8, 9, 10))


def test_a_class_or_a_test_set_that_is_broken_completely_is_refused(root: Path) -> None:
    for path in (root / "train" / "a").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"no training image of a can be read: replace them, or remove the class"):
        read(root, skip_broken=True)
    shutil.rmtree(root / "train" / "a")
    write_folders(root, "train/a")
    for path in (root / "val").rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="no test image can be read"):
        read(root, skip_broken=True)


def test_images_in_two_splits_or_classes_are_counted_by_content(root: Path) -> None:
    shutil.copy(root / "train/a/0.png", root / "val/a/other.png")
    shutil.copy(root / "train/b/1.png", root / "val/b/more.png")
    shutil.copy(root / "train/a/2.png", root / "train/b/x.png")
    shutil.copy(root / "train/a/2.png", root / "train/a/again.png")
    assert duplicates(read(root)) == [
        "2 of 8 test images are training images as well, byte for byte (val/a/other.png is train/a/0.png and "
        "val/b/more.png is train/b/1.png): what is measured on them says little",
        "1 image in two classes, byte for byte (train/b/x.png is train/a/2.png)",
    ]


def test_three_splits_are_all_compared(root: Path) -> None:
    write_folders(root, "test/a", "test/b", count=1)
    shutil.copy(root / "val/a/0.png", root / "test/a/x.png")
    shutil.copy(root / "train/a/0.png", root / "val/a/y.png")
    first, second = duplicates(read(root))
    assert first.startswith("1 of 7 validation images are training images as well")
    assert second.startswith(
        "1 of 3 test images are validation images as well, byte for byte (test/a/x.png is val/a/0.png)"
    )


def test_paths_are_taken_by_position(root: Path) -> None:
    files = read(root)
    assert take(files.train, files.train_labels[:0]) == ()
    assert take(files.train, files.train_labels[4:]) == (files.train[1], files.train[1])


def test_class_names_that_differ_in_case_or_blanks_alone_are_said(tmp_path: Path) -> None:
    write_folders(tmp_path / "pets", "cat", "Cat", "cat ", "dog", count=5)
    (note,) = [note for note in load(tmp_path / "pets", download_to=tmp_path / "cache").notes if "class names" in note]
    assert note == (
        "class names that differ only in case or surrounding blanks stay different classes: 'Cat', 'cat' and 'cat '; "
        "if they are one class, put their images together"
    )


def test_the_same_is_said_of_the_classes_of_a_table(tmp_path: Path) -> None:
    write_folders(tmp_path / "images", "0", "1", count=5)
    rows = [f"images/{k}/{i}.png,{name}" for k, name in enumerate(("tea", "Tea")) for i in range(5)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *rows]))
    notes = load(tmp_path / "labels.csv", download_to=tmp_path / "cache").notes
    assert any("stay different classes: 'Tea' and 'tea'; if" in note for note in notes)


def test_many_names_that_are_alike_are_counted() -> None:
    (note,) = alike([f"{name}{number}" for name in "aA" for number in range(5)])
    assert "'a0' and 'A0'; 'a1' and 'A1'; 'a2' and 'A2'; and 2 other groups; if" in note
    assert alike(["cat", "cats", "dog", "c at"]) == []

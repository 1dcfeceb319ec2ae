from __future__ import annotations

import os
from pathlib import Path

import pytest

from stillhouse.data.folders.left_out import LeftOut
from stillhouse.data.folders.tree import SUFFIXES, Tree
from tests.helpers.pictures import write_folders


def notes(root: Path, *folders: str) -> list[str]:
    tree, left_out = Tree(), LeftOut(str(root))
    for name in sorted(tree.listing(str(write_folders(root, *folders))).folders):
        left_out.look_below(tree, str(root / name))
    left_out.look(tree.listing(str(root)), is_class=False)
    return left_out.notes()


def test_nothing_is_said_of_plain_folders_and_of_files_beside_them(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("")
    (tmp_path / "labels.csv").write_text("")
    (tmp_path / "a").mkdir()
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "Icon\r"):
        (tmp_path / "a" / name).write_text("")
    assert notes(tmp_path, "a", "b/c") == []


def test_files_that_are_not_read_are_counted_by_suffix(tmp_path: Path) -> None:
    for name in ("a/1.cr2", "a/2.CR2", "b/3.txt", "b/c/none"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert notes(tmp_path, "a", "b") == [
        "left out 4 files that cannot be read as images: 2 .cr2, 1 .txt and 1 without a suffix"
    ]


@pytest.mark.skipif(".heic" in SUFFIXES, reason="pillow-heif is installed")
def test_what_would_read_photographs_of_phones_is_said(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.HEIC").write_text("")
    assert notes(tmp_path, "a") == [
        "left out 1 file that cannot be read as images: 1 .heic (install pillow-heif for .heic)"
    ]


def test_hidden_images_and_folders_of_programs_are_counted(tmp_path: Path) -> None:
    write_folders(tmp_path, "a", "b", "a/@eaDir", "a/.ipynb_checkpoints/x", "b/thumbs", "__MACOSX/a", ".git")
    os.rename(tmp_path / "__MACOSX/a/0.png", tmp_path / "__MACOSX/a/._0.png")
    os.rename(tmp_path / "a/0.png", tmp_path / "a/._0.png")
    (tmp_path / ".idea").mkdir()
    assert notes(tmp_path) == [
        "left out 1 hidden image: a/._0.png",
        "left out 10 images in hidden folders and those of other programs: .git, .ipynb_checkpoints, @eaDir, __MACOSX "
        "and 1 more",
    ]


def test_links_upwards_are_named(tmp_path: Path) -> None:
    write_folders(tmp_path, "a", "b/c")
    os.symlink("..", tmp_path / "a" / "up")
    os.symlink("../..", tmp_path / "b" / "c" / "root")
    assert notes(tmp_path) == ["links to a folder that contains them were not followed: a/up and b/c/root"]

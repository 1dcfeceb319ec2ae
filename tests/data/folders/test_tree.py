from __future__ import annotations

import os
from pathlib import Path

import pytest

from stillhouse.data.folders.tree import SUFFIXES, Tree
from tests.helpers.pictures import write_folders


def found(folder: Path) -> list[str]:
    return [image.name for image in Tree().images(str(folder))]


def test_suffixes_are_those_of_formats_that_are_read() -> None:
    assert {".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".pgm", ".ppm", ".tif", ".webp", ".jp2", ".avif"} <= SUFFIXES
    assert not {".eps", ".pdf", ".txt", ".svg", ".mp4", ".h5", ""} & SUFFIXES


def test_a_folder_is_listed_by_what_is_in_it(tmp_path: Path) -> None:
    write_folders(tmp_path, ".", "inner", ".hidden", "@eaDir", "__MACOSX")
    for name in ("notes.txt", "more.TXT", "LICENSE", "Thumbs.db", "desktop.ini", ".DS_Store", "._0.png", "raw.cr2"):
        (tmp_path / name).write_text("x")
    listing = Tree().listing(str(tmp_path))
    assert listing.images == ["0.png", "1.png"]
    assert listing.folders == ["inner"]
    assert listing.tools == [".hidden", "@eaDir", "__MACOSX"]
    assert listing.hidden == ["._0.png"]
    assert listing.others == {".txt": 2, "": 1, ".cr2": 1}
    assert sorted(listing.examples) == ["LICENSE", "more.TXT", "notes.txt", "raw.cr2"]


def test_images_are_found_at_any_depth_in_the_order_of_their_paths(tmp_path: Path) -> None:
    write_folders(tmp_path, ".", "b/c", "a", "thumbs", ".git", count=1)
    assert found(tmp_path) == ["0.png", "a/0.png", "b/c/0.png"]


def test_a_run_of_stillhouse_is_no_folder_of_images(tmp_path: Path) -> None:
    write_folders(tmp_path, "cat", "runs/cat-resnet8-seed0/inspection")
    run = tmp_path / "runs" / "cat-resnet8-seed0"
    (run / "config.yaml").write_text("data: .")
    assert Tree().folders(str(tmp_path)) == ["cat", "runs"]
    (run / "metrics.jsonl").write_text("")
    assert Tree().folders(str(tmp_path)) == ["cat"]


def test_links_upwards_and_in_circles_end(tmp_path: Path) -> None:
    write_folders(tmp_path, "cat", "dog", count=1)
    for link, target in (("cat/up", ".."), ("cat/self", "../cat"), ("cat/dogs", "../dog"), ("dog/cats", "../cat")):
        os.symlink(target, tmp_path / link)
    assert Tree().listing(str(tmp_path / "cat")).loops == ["self", "up"]
    assert found(tmp_path / "cat") == ["0.png", "dogs/0.png"]
    assert found(tmp_path) == ["cat/0.png", "dog/0.png"]


def test_many_folders_that_link_to_each_other_are_each_looked_into_once(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(12)]
    write_folders(tmp_path, *names, count=1)
    for one in names:
        for other in names:
            os.symlink(f"../{other}", tmp_path / one / f"to_{other}")
    assert len(found(tmp_path)) == len(found(tmp_path / "c0")) == 12


def test_real_folders_come_before_links_to_them(tmp_path: Path) -> None:
    write_folders(tmp_path, "z", count=1)
    os.symlink("z", tmp_path / "a")
    assert found(tmp_path) == ["z/0.png"]


def test_links_know_their_files(tmp_path: Path) -> None:
    write_folders(tmp_path, "pool", "cat", count=1)
    os.symlink("../pool/0.png", tmp_path / "cat" / "link.png")
    own, link = Tree().images(str(tmp_path / "cat"))
    assert own.real == own.path
    assert link.real == str(tmp_path / "pool" / "0.png")


def test_what_is_no_file_is_an_image_with_a_problem(tmp_path: Path) -> None:
    write_folders(tmp_path, ".", count=1)
    os.mkfifo(tmp_path / "pipe.png")
    os.symlink("/gone.jpg", tmp_path / "gone.jpg")
    os.symlink("circle.png", tmp_path / "circle.png")
    os.symlink("/gone", tmp_path / "notes.txt")
    problems = {image.name: image.problem for image in Tree().images(str(tmp_path))}
    assert problems == {
        "0.png": "",
        "circle.png": "is a link in a circle: restore the file, or delete the link",
        "gone.jpg": "is a link to /gone.jpg, which is missing: restore the file, or delete the link",
        "pipe.png": "is a pipe, socket or device, not a file: remove it",
    }


def test_a_folder_that_cannot_be_looked_into_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ValueError, match=r"cannot be opened \(Permission denied\): give yourself permission"):
        Tree().has_images(str(tmp_path))


def test_counts_are_those_of_images_below(tmp_path: Path) -> None:
    write_folders(tmp_path, ".", "a/b", count=3)
    (tmp_path / "empty").mkdir()
    tree = Tree()
    assert (tree.count(str(tmp_path)), tree.own_images(str(tmp_path))) == (6, 3)
    assert tree.folders(str(tmp_path)) == ["a"]
    assert not tree.has_images(str(tmp_path / "empty"))

"""Images by file, folder, pattern and standard input."""

import io
from pathlib import Path

import pytest

from stillhouse.export.images import named
from tests.helpers.pictures import picture, write_folders


def test_folders_patterns_and_files_stand_for_images_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folders(tmp_path, "b", "a/deep", count=2)
    (tmp_path / "a" / "words.txt").write_text("no image")
    picture(1).save(tmp_path / "a" / ".hidden.png")
    monkeypatch.chdir(tmp_path)
    assert list(named(["b/1.png", ".", "*/*/1.png", "a/words.txt"])) == [
        *("b/1.png", "./a/deep/0.png", "./a/deep/1.png", "./b/0.png", "./b/1.png", "a/deep/1.png", "a/words.txt")
    ]


def test_names_are_read_from_standard_input_as_they_come(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("one.png\r\n\n two.png\n"))
    (tmp_path / "x.png").touch()
    assert list(named([str(tmp_path / "x.png"), "-"])) == [str(tmp_path / "x.png"), "one.png", " two.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    for name in ("[1].png", "1.png"):
        picture(1).save(tmp_path / name)
    assert list(named([str(tmp_path / "[1].png")])) == [str(tmp_path / "[1].png")]


def test_what_stands_for_no_image_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for word, why in (("no.png", "no file or folder no.png"), ("no/*.png", "no file matches"), (empty, "no images")):
        with pytest.raises(ValueError, match=why):
            named([str(word)])
    with pytest.raises(ValueError, match="only once"):
        named(["-", "-"])

"""A folder that is filled again: nothing of an earlier call is left, and nothing of anybody else's is removed."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from stillhouse.cli.summary.filled import LIST, filled
from tests.helpers.commands import contents


def fill(folder: Path, files: Mapping[str, str]) -> None:
    with filled(folder) as place:
        for name, text in files.items():
            (place / name).write_text(text)


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()} - {LIST}


def test_files_that_are_no_longer_made_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    fill(folder, {"a.svg": "a", "a.pdf": "a", "b.csv": "b"})
    (folder / "notes.txt").write_text("mine")
    fill(folder, {"a.png": "a", "b.csv": "new"})
    assert names(folder) == {"a.png", "b.csv", "notes.txt"}
    assert (folder / "b.csv").read_text() == "new"


def test_files_that_somebody_else_made_or_changed_stay(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "a.svg").write_text("mine")  # the command never wrote it
    fill(folder, {"b.svg": "b", "c.svg": "c", "d.svg": "d"})
    (folder / "b.svg").write_text("edited")
    (folder / "c.svg").unlink()
    (folder / "c.svg").symlink_to(folder / "a.svg")
    fill(folder, {"e.svg": "e"})
    assert names(folder) == {"a.svg", "b.svg", "c.svg", "e.svg"}


@pytest.mark.parametrize("text", ["", "[1]", "{", json.dumps({"../kept.txt": "x", "": "x", ".": "x", LIST: "x"})])
def test_a_list_that_is_damaged_or_names_other_places_removes_nothing(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "kept.txt").write_text("x")
    (folder / LIST).write_text(text)
    fill(folder, {"a.svg": "a"})
    assert names(folder) == {"a.svg"}
    assert (tmp_path / "kept.txt").exists()
    assert set(json.loads((folder / LIST).read_text())) == {"a.svg"}


def test_a_call_that_fails_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    fill(folder, {"a.svg": "a"})
    before = contents(folder)
    with pytest.raises(FileNotFoundError):
        fill(folder, {"b.svg": "b", "no folder/c.svg": "c"})
    assert contents(folder) == before


def test_what_a_killed_call_wrote_is_known_to_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    fill(folder, {"a.svg": "a"})
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fill(folder, {"b.svg": "b"})
    assert names(folder) == {"a.svg", "b.svg"}
    fill(folder, {"c.svg": "c"})
    assert names(folder) == {"c.svg"}

"""Options about images, and what is said about those that were read."""

from dataclasses import replace
from pathlib import Path

import pytest

from stillhouse.cli.groups.data import DataOptions, note_on_share
from stillhouse.models.input_spec import FILE, InputSpec
from stillhouse.training.progress import Display
from tests.helpers.data import quick_data
from tests.helpers.pictures import write_pictures


def test_what_was_read_otherwise_than_expected_is_a_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = replace(quick_data(), notes=("3 files are no images", "one is sideways"))
    monkeypatch.setattr("stillhouse.data.load", lambda *_: data)
    assert DataOptions().load(Display()) is data
    assert capsys.readouterr().out.splitlines()[1:] == ["note: 3 files are no images", "note: one is sideways"]


def test_a_size_that_nothing_says_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = str(write_pictures(tmp_path / "pictures", ("a", "b"), 2, 80))
    note = "224 px are assumed (on disk these have 80x80 pixels); --image_size changes it"
    DataOptions(folder).load(Display(), expected=InputSpec())
    assert note in " ".join(capsys.readouterr().out.split())
    DataOptions(folder, image_size=224).load(Display(), expected=InputSpec())
    DataOptions(folder).load(Display(), expected=InputSpec(size=224, source=FILE))
    DataOptions(folder).load(Display())  # no trained network
    assert "assumed" not in capsys.readouterr().out


def test_another_share_of_the_images_is_a_note() -> None:
    data, options = quick_data(), DataOptions()
    assert note_on_share("net", {"share": 1.0}, data, options) is None
    assert note_on_share("net", {}, data, options) is None
    assert note_on_share("net", {"share": 0.875}, data, DataOptions(resize="squash")) is None
    note = "net was trained for 87.5 % of the shorter side of an image, and is given 100 %"
    assert note_on_share("net", {"share": 0.875}, data, options) == note

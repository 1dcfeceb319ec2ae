"""Options about images, and what is said about those that were read."""

from dataclasses import replace

import pytest

from stillhouse.cli.groups.data import DataOptions
from stillhouse.training.progress import Display
from tests.helpers.data import quick_data


def test_what_was_read_otherwise_than_expected_is_a_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = replace(quick_data(), notes=("3 files are no images", "one is sideways"))
    monkeypatch.setattr("stillhouse.data.load", lambda *_: data)
    assert DataOptions().load(Display()) is data
    assert capsys.readouterr().out.splitlines()[1:] == ["note: 3 files are no images", "note: one is sideways"]

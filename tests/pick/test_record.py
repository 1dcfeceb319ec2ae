"""What was measured, kept for the next time."""

from pathlib import Path

import pytest

from stillhouse.pick.record import NAME, Record, folder_of
from tests.pick.made_up import LATENCIES


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = Record("a machine", LATENCIES, 18, 2, 100.5, "runs/teacher")
    assert Record.read(tmp_path) is None
    record.save(tmp_path / "new")
    assert Record.read(tmp_path / "new") == record


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"latencies": {"a": {"p5": 1}}, "epochs": 1}', '"x"'])
def test_a_damaged_record_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    with pytest.raises(ValueError, match=r"plan.json is damaged .* remove it to measure again"):
        Record.read(tmp_path)


def test_everything_that_was_asked_decides_the_folder() -> None:
    asked = {"students": "resnet8", "budget": "1h"}
    folder = folder_of(Path("runs"), "digits", asked)
    assert folder.name.startswith("pick-digits-")
    assert folder == folder_of(Path("runs"), "digits", dict(reversed(asked.items())))
    assert folder != folder_of(Path("runs"), "digits", {**asked, "budget": "2h"})

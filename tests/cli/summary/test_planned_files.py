"""The files of a plan."""

from __future__ import annotations

import csv
from pathlib import Path

from stillhouse.cli.arguments import parse
from stillhouse.cli.options.plan import Plan
from stillhouse.cli.summary.planned_files import write
from stillhouse.plan.duplicates import duplicates
from stillhouse.training.progress import Display
from tests.cli.summary.test_planning import COURSE
from tests.helpers.data import quick_data
from tests.plan.test_figure import candidate


def test_tables_hold_every_number(tmp_path: Path) -> None:
    words = ["digits", "--format", "svg,pdf", "--folder", str(tmp_path)]
    command, data = parse("plan", Plan, words, {"data": "data"}), quick_data()
    both = [candidate("teacher", 10**8, (1, 1, 2.0)), candidate("net", 10**6, (1, 1, 1.0), (32, 1, 20.0))]
    write(command, data, duplicates(data), both, [COURSE], 10, Display(quiet=True))
    folder = tmp_path / "quick-plan"

    def rows(name: str) -> list[list[str]]:
        return list(csv.reader((folder / f"{name}.csv").read_text().splitlines()))

    assert rows("networks")[1:] == [
        ["teacher", "1000", "100000000", "2.0", "4.0", "", ""],
        ["net", "1000", "1000000", "1.0", "2.0", "20.0", "40.0"],
    ]
    assert len(rows("duplicates")) == 1 + 20
    assert rows("duplicates")[1][:3] == ["same pixels", "test", "test image 0"]
    assert rows("hours")[1][:5] == ["net", "10", "1", "100", str(COURSE.pace.step(COURSE.labels))]
    assert (folder / "latency.pdf").read_bytes().startswith(b"%PDF")
    assert "teacher" in (folder / "latency.svg").read_text()

"""The report's files: JSON with every figure, tables in CSV."""

import csv
import json
from pathlib import Path

import pytest

from stillhouse.evaluation.report import Report, write
from tests.helpers.evaluations import NAMES, made

REPORT = Report([made("student", 5, "small"), made("teacher", 3, "large")], "pets", "abc", NAMES, ["no baseline"])


def test_json_has_every_figure_and_csv_every_table(tmp_path: Path) -> None:
    written = write(REPORT, tmp_path, "# page\n")
    assert sorted(written) == sorted(path.name for path in tmp_path.iterdir())
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert found["networks"]["student"]["top1"] == pytest.approx(100 * 55 / 60)
    assert found["networks"]["teacher"]["right"] == 57
    assert found["student_minus"]["teacher"]["negative"] == 2
    assert found["student_minus"]["teacher"]["change"]["points"] == pytest.approx(-100 * 2 / 60)
    assert found["notes"] == ["no baseline"]
    rows = list(csv.DictReader((tmp_path / "classes.csv").read_text().splitlines()))
    assert [float(row["student %"]) for row in rows] == [90.0, 90.0, 95.0]
    assert (tmp_path / "evaluation.md").read_text() == "# page\n"


def test_counts_are_numbers_and_a_class_called_2_is_a_text(tmp_path: Path) -> None:
    write(REPORT, tmp_path, "")
    rows = json.loads((tmp_path / "evaluation.json").read_text())["tables"]["classes"]
    assert [(row["class"], row["images"]) for row in rows] == [("ant", 20), ("bee", 20), ("2", 20)]


def test_captions_name_the_networks() -> None:
    assert REPORT.named == "small beside large (teacher) on pets"

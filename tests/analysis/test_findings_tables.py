"""Tables of a finished distillation: exact in files, short on terminals, with the baseline where it is known."""

import csv

import pytest
import torch

from stillhouse.analysis.baseline import Baseline
from stillhouse.analysis.findings_tables import Table, by_classes, summarised
from stillhouse.analysis.measure import Findings
from stillhouse.training.evaluation import Scores
from stillhouse.training.predictions import Predictions
from tests.helpers.commands import printed

LABELS = torch.tensor([0, 0, 1, 1])
STUDENT = Scores(torch.eye(3)[[0, 0, 1, 0]], LABELS)  # 100 %, 50 %
TEACHER = Scores(torch.eye(3)[[0, 0, 1, 1]], LABELS)
ALONE = Baseline([], Predictions.of(Scores(torch.eye(3)[[1, 1, 1, 1]], LABELS)))  # 0 %, 100 %
FINDINGS = Findings(STUDENT, TEACHER, {}, None, None)


def test_tables_are_exact_in_files_and_short_on_terminals() -> None:
    rows = [(f"class {i}", "3", 100 / (i + 3)) for i in range(30)]
    table = Table(("class", "images", "student %"), rows)
    read = list(csv.reader(table.csv().splitlines()))
    assert read[0] == ["class", "images", "student %"]
    assert [float(row[2]) for row in read[1:]] == [100 / (i + 3) for i in range(30)]
    lines = printed(table.printed(columns=3))
    assert lines[2].split() == ["class", "0", "3", "33.33"]
    assert [" ".join(line.split()[:3]) for line in lines[11:14]] == ["class 9 3", "... 10 more", "class 20 3"]
    assert lines[-1].split()[:2] == ["class", "29"]
    assert printed(table.printed(columns=2))[2].split() == ["class", "0", "3"]


def test_bytes_of_a_name_that_are_not_utf_8_are_escaped_in_files() -> None:
    assert Table(("class",), [("lat\udcefn",)]).csv().encode() == b"class\nlat\\udcefn\n"


def test_the_baseline_has_a_column_where_its_guesses_are_known() -> None:
    plain, beside = summarised(FINDINGS), summarised(FINDINGS, ALONE)
    assert plain.headings == ("measured on test images", "teacher", "student")
    assert [row[:3] for row in beside.rows] == list(plain.rows)
    assert beside.rows[0] == ("top-1 %", 100.0, 75.0, 50.0)
    assert beside.rows[1][3] == ""
    assert summarised(FINDINGS, Baseline([], None)).headings == plain.headings


def test_classes_stand_in_the_order_of_the_gain_over_the_baseline() -> None:
    table = by_classes(FINDINGS, ["cat", "dog", "emu"], ALONE)
    assert table.headings[2:] == ("teacher %", "student %", "gain", "baseline %", "over baseline")
    assert [row[0] for row in table.rows] == ["dog", "cat"]
    assert table.rows[0][2:] == pytest.approx((100, 50, -50, 100, -50))
    assert [row[0] for row in by_classes(FINDINGS, ["cat", "dog", "emu"]).rows] == ["dog", "cat"]

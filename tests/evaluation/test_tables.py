"""Tables of an evaluation: counted by hand."""

import pytest

from stillhouse.evaluation import tables
from stillhouse.evaluation.corruptions import CORRUPTIONS
from stillhouse.evaluation.mistakes import Mistake
from stillhouse.evaluation.robustness import Robustness
from stillhouse.report.intervals import of_share
from tests.helpers.evaluations import NAMES, made

NETWORKS = [made("student", 5), made("teacher", 3), made("against", 9)]


def test_accuracy_has_an_interval() -> None:
    table = tables.accuracy(NETWORKS)
    assert [row[0] for row in table.rows] == ["student", "teacher", "against"]
    row = dict(zip(table.headings, table.rows[0], strict=True))
    assert (row["low"], row["high"]) == of_share(55, 60)
    assert row["top-1 %"] == pytest.approx(100 * 55 / 60)
    assert row["images"] == "60"


def test_differences_and_flips_are_those_of_the_student() -> None:
    rows = {row[0]: row for row in tables.differences(NETWORKS).rows}
    assert rows["teacher"][1] == pytest.approx(-100 * 2 / 60)
    assert rows["teacher"][4:6] == ("0", "2")
    assert rows["against"][4:6] == ("4", "0")


def test_classes_begin_with_the_worst_and_leave_out_empty_ones() -> None:
    table = tables.classes(NETWORKS, (*NAMES, "nobody"))
    assert [row[:2] for row in table.rows] == [("ant", "20"), ("bee", "20"), ("2", "20")]  # 2, 2 and 1 wrong
    assert table.rows[2][2:5] == (95.0, *of_share(19, 20))
    assert table.headings[5] == "teacher %"


def test_confusions_begin_with_the_most_frequent_mistake() -> None:
    table = tables.confusions(NETWORKS, NAMES)
    assert table.headings == ("class", "guess", "student", "teacher")
    assert table.rows[0] == ("ant", "bee", "2", "1")
    assert [row[:2] for row in table.rows[3:]] == [(name, name) for name in ("2", "ant", "bee")]  # 19, 18, 18
    assert sum(int(row[2]) for row in table.rows) == 60


def test_flips_by_class_begin_with_the_largest_loss() -> None:
    table = tables.flips_by_class(NETWORKS, NAMES, "teacher")
    assert [row[0] for row in table.rows] == ["ant", "bee", "2"]
    assert table.rows[0][2] == pytest.approx(-5.0)
    assert table.rows[2][2] == 0.0
    gains = tables.flips_by_class(NETWORKS, NAMES, "against")
    assert sum(int(row[5]) for row in gains.rows) == 4


def test_calibration_has_both_temperatures() -> None:
    table = tables.calibration(NETWORKS)
    assert len(table.rows) == 3
    found = NETWORKS[0].calibration
    assert found is not None
    assert table.rows[0][-2:] == found.temperatures


def test_robustness_is_in_percent_of_the_images_and_relative_to_clean_ones() -> None:
    right = {one.name: [8, 6, 4, 2, 0] for one in CORRUPTIONS}
    found = Robustness(20, 100, 32, {"student": 10}, {"student": right})
    rows = {row[1]: row for row in tables.robust(found).rows}
    assert rows["none"][3:] == (50.0,) * 6
    assert rows["jpeg"][2:] == ("quality 80 65 58 50 40", 40.0, 30.0, 20.0, 10.0, 0.0, 20.0)
    assert tables.kept(found).rows == [("student", 50.0, *of_share(10, 20), 20.0, 40.0, "20")]


def test_mistakes_name_their_images_and_who_is_right() -> None:
    found = [
        Mistake(7, "pets/7.jpg", 0, 2, 98.5, {"teacher": True}),
        Mistake(9, None, 1, 0, 50.0, {"teacher": False}),
    ]
    table = tables.mistakes(found, NAMES, ["teacher"])
    assert table.headings[-1] == "teacher is right"
    assert table.rows[0] == ("7", "pets/7.jpg", "ant", "2", 98.5, "yes")
    assert table.rows[1] == ("9", "", "bee", "ant", 50.0, "no")

"""Tables: every number in full, whatever the width."""

import re

import pytest

from stillhouse.analysis.tables import Fitting, Line, Listing, comparison, magnitude, percent
from tests.helpers.commands import printed

TEACHER = Line("resnet32 (teacher)", 466_906, 69_100_000, 99.126)
STUDENT = Line("resnet8 CE+KD", 78_042, 12_500_000, 97.5, 98.25, 96.0)


def test_empty_columns_are_left_out() -> None:
    title, headings, _, row = printed(comparison([TEACHER], "digits"))
    assert title == "digits"
    assert headings.split() == ["network", "parameters", "MACs", "top-1", "%"]
    assert row.split() == ["resnet32", "(teacher)", "466,906", "69.1", "M", "99.13"]


def test_students_stand_beside_their_teacher() -> None:
    *_, teacher, student = printed(comparison([TEACHER, STUDENT], "digits"))
    assert student.split() == ["resnet8", "CE+KD", "78,042", "12.5", "M", "97.50", "98.25", "96.00"]
    assert teacher.split()[-1] == "99.13"
    assert teacher.index("99.13") == student.index("97.50")


@pytest.mark.parametrize(("width", "left_out"), [(60, "parameters, MACs"), (80, ""), (120, "")])
def test_a_row_is_one_line_in_which_the_name_loses_its_middle_and_no_number_is_cut(width: int, left_out: str) -> None:
    long = Line("my_networks.py:AVeryLongNameOfANetwork CE+KD+AT+SP+FitNet", 466_906, 69_100_000, 99.1, 99.2, 98.3)
    _, _, _, row, *foot = lines = printed(comparison([long], "digits"), width)
    assert re.match(r" *my_networks?.*FitNet  ", row)
    assert row.split()[-3:] == ["99.10", "99.20", "98.30"]
    assert ("466,906   69.1 M" in row) == (not left_out)
    assert foot == [f"left out at this width: {left_out}"] * bool(left_out)
    assert max(map(len, lines)) <= width


def test_control_characters_in_names_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in "".join(printed(comparison([Line("a\x1b[31m", 1, 1, 1.0)], "digits")))


def test_of_two_columns_of_names_the_longer_one_is_shortened_and_columns_are_left_out_by_their_rank() -> None:
    rows = [("a pair with a name that is quite long", "CE", "1.00", "22.00"), (), ("b", "CE + KD", "3.00", "4.00")]
    table = Fitting(["pair", "method", "seed 0", "seed 1"], [list(row) for row in rows], ["seed 1"], names=2)
    first, *_ = (line for line in printed(table, 50) if "CE" in line)
    assert first.split() == ["a", "pair", "w..ite", "long", "CE", "1.00", "22.00"]
    assert printed(table, 36)[-1] == "left out at this width: seed 1"
    assert "1.00" in "".join(printed(table, 36))


def test_a_list_keeps_brackets_as_they_are() -> None:
    text = printed(Listing(("method", ""), [("SpotAdaptive", "takes [KD, AT]")]))
    assert "takes [KD, AT]" in text[-1]


def test_numbers_for_people() -> None:
    assert [magnitude(count) for count in (999, 1_000, 12_540_000, 4.1e9)] == ["999", "1.0 k", "12.5 M", "4.1 G"]
    assert (percent(None), percent(99.126)) == ("", "99.13")

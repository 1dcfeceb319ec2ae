"""Tables: every number in full, whatever the width."""

import pytest

from stillhouse.analysis.tables import Line, comparison, listing, magnitude, percent
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


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_terminal_cuts_no_number(width: int) -> None:
    long = Line("my_networks.py:AVeryLongNameOfANetwork CE+KD+AT+SP+FitNet", 466_906, 69_100_000, 99.1, 99.2, 98.3)
    lines = printed(comparison([long], "digits"), width)
    text = " ".join(lines)
    assert all(number in text for number in ("466,906", "69.1 M", "99.10", "99.20", "98.30", "agreement %"))
    assert max(map(len, lines)) <= width
    assert "…" not in text


def test_listing_keeps_brackets_as_they_are() -> None:
    text = printed(listing(("method", ""), [("SpotAdaptive", "takes [KD, AT]")]))
    assert "takes [KD, AT]" in text[-1]


def test_numbers_for_people() -> None:
    assert [magnitude(count) for count in (999, 1_000, 12_540_000, 4.1e9)] == ["999", "1.0 k", "12.5 M", "4.1 G"]
    assert (percent(None), percent(99.126)) == ("", "99.13")

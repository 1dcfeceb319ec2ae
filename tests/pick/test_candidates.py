"""Candidates and their numbers."""

import csv

import pytest

from stillhouse.pick.candidates import csv_of, ranked, table
from tests.helpers.commands import printed
from tests.pick.made_up import ENDS, made_up, scored, to

BEST = scored("slow", "CE + KD", to(50, 80), to(52, 82))
LATE = scored("fast", "CE", to(60, 70), to(60, 70))
STOPPED = scored("fast", "CE + AT", to(40, 99), to(40, 99), stopped=3)
FAILED = scored("slow", "CE + AT")


def test_numbers_are_those_at_the_rungs_up_to_where_one_was_stopped() -> None:
    found = made_up(BEST, LATE, STOPPED, FAILED)
    assert [dict(one.top1) for one in found] == [{3: 51.0, 9: 81.0}, {3: 60.0, 9: 70.0}, {3: 40.0}, {}]
    assert [one.name for one in ranked(found)] == ["slow, CE + KD", "fast, CE"]
    (with_hints,) = made_up(scored("fast", "CE + AT", to(40, 99), stopped=3, phases=4))
    assert with_hints.top1 == {3: 40.0}


def test_of_equal_ones_the_faster_comes_first() -> None:
    found = made_up(scored("slow", "CE", to(50, 80)), scored("fast", "CE", to(50, 80)))
    assert [one.student for one in ranked(found)] == ["fast", "slow"]


def test_the_interval_is_of_the_validation_images() -> None:
    (one,) = made_up(BEST, images=100)
    low, high = one.interval(9)
    assert (low, high) == pytest.approx((72.2, 87.5), abs=0.1)  # 81 of 100, by Wilson's formula
    many, few = (made_up(BEST, scored("fast", "CE", to(50, 78), to(50, 78)), images=count) for count in (10_000, 100))
    assert [found[1].is_within(found[0], 9) for found in (many, few)] == [False, True]


def test_the_table_and_the_file_say_what_became_of_each() -> None:
    found = made_up(BEST, LATE, STOPPED, FAILED)
    lines = [line.split() for line in printed(table(found, ENDS, found[0]), width=80)[-4:]]
    assert lines[0] == ["slow", "CE", "+", "KD", "5", "51.00", "81.00", "chosen"]
    assert lines[1] == ["fast", "CE", "2", "60.00", "70.00"]
    assert lines[2] == ["fast", "CE", "+", "AT", "2", "40.00", "stopped"]
    assert lines[3][-1] == "failed"
    rows = list(csv.DictReader(csv_of(found, ENDS, found[0]).decode().splitlines()))
    assert [(row["epochs"], row["state"]) for row in rows] == [
        ("3", "chosen"),
        ("9", "chosen"),
        ("3", "trained to the end"),
        ("9", "trained to the end"),
        ("3", "stopped"),
        ("0", "failed"),
    ]
    assert float(rows[1]["low"]) < float(rows[1]["validation_top1"]) == 81.0 < float(rows[1]["high"])

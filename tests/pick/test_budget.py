"""A budget that becomes a number of epochs."""

import pytest

from stillhouse.pick.budget import Rung, once, rungs, seconds, settled, steps
from stillhouse.plan.pace import Pace

PACE = Pace(1.0, {name: float(number) for number, name in enumerate("abcdefgh", 1)})  # 1 to 8 s an epoch

NOTHING = Pace(0.0, {})


def test_a_third_goes_on_and_two_to_the_end() -> None:
    assert rungs(12) == [Rung(1 / 9, 12), Rung(1 / 3, 4), Rung(1.0, 2)]
    assert rungs(8, 1) == [Rung(1 / 3, 8), Rung(1.0, 2)]
    assert rungs(2) == [Rung(1 / 3, 2), Rung(1.0, 2)]


def test_steps_are_where_candidates_are_stopped() -> None:
    assert steps(rungs(12), 27) == [(12, 3), (4, 9), (2, 27)]
    assert steps(rungs(8), 27) == [(8, 3), (2, 27)]
    assert steps(rungs(8), 1) == [(8, 1)]
    assert steps(rungs(2), 9) == [(2, 9)]


def test_the_time_is_that_of_the_slowest_that_may_go_on() -> None:
    ladder = [Rung(1 / 3, 8), Rung(1.0, 2)]
    assert seconds(9, PACE, NOTHING, ladder, seeds=1) == 3 * (36 + 1) + 6 * (8 + 7 + 1)
    assert seconds(9, PACE, NOTHING, ladder, seeds=2) == 2 * seconds(9, PACE, NOTHING, ladder, seeds=1)


def test_a_look_at_the_test_images_counts_for_the_finalists_and_one_of_the_teacher() -> None:
    ends = once(PACE, train=100, validation=50, test=1000)
    assert ends.teacher == 0.5
    assert ends.students["b"] == pytest.approx(2 * 0.35 * 1000 / (100 + 0.35 * 50))  # an epoch has a look at validation
    ladder = [Rung(1 / 3, 8), Rung(1.0, 2)]
    more = seconds(9, PACE, ends, ladder, 1) - seconds(9, PACE, NOTHING, ladder, 1)
    assert more == pytest.approx(0.5 + ends.students["h"] + ends.students["g"])
    of_one_epoch = seconds(1, PACE, ends, ladder, 1) - seconds(1, PACE, NOTHING, ladder, 1)
    assert of_one_epoch == pytest.approx(0.5 + sum(ends.students.values()))  # all are trained to the end


def test_the_epochs_are_the_most_that_fit() -> None:
    budget = seconds(9, PACE, NOTHING, rungs(8, 1), 1) / 0.9
    found = settled(budget + 0.1, 240, 1, PACE, NOTHING, 8, 1)
    assert (found.epochs, len(found.rungs)) == (9, 2)
    assert found.seconds <= 0.9 * (budget + 0.1) < seconds(10, PACE, NOTHING, rungs(8, 1), 1)
    assert settled(budget - 1, 240, 1, PACE, NOTHING, 8, 1).epochs == 8
    assert settled(1e9, 30, 1, PACE, NOTHING, 8, 1).epochs == settled(None, 30, 1, PACE, NOTHING, 8, 1).epochs == 30


def test_nothing_is_stopped_after_an_epoch_or_two_if_one_rung_can_be_left_out() -> None:
    assert [rung.part for rung in settled(None, 18, 1, PACE, NOTHING, 8, 1).rungs] == [1 / 3, 1.0]
    assert [rung.part for rung in settled(None, 27, 1, PACE, NOTHING, 8, 1).rungs] == [1 / 9, 1 / 3, 1.0]


def test_a_budget_that_is_too_short_is_refused_with_one_that_is_not() -> None:
    with pytest.raises(ValueError, match="--budget must be at least 41 s, not 20 s, because an epoch of 8 candidates"):
        settled(20, 240, 1, PACE, NOTHING, 8, 1)
    assert settled(41.2, 240, 1, PACE, NOTHING, 8, 1).epochs == 1
    with pytest.raises(ValueError, match="because 5 epochs of 8 candidates"):
        settled(41.2, 240, 5, PACE, NOTHING, 8, 1)

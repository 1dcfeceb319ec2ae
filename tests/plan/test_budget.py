"""What fits into a budget, and what it gives up."""

from __future__ import annotations

import pytest

from stillhouse.plan.budget import Proposal, Way, propose, rescaled, seconds_of


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("90s", 90), ("30m", 1800), ("30min", 1800), ("2h", 7200), ("1.5H", 5400), ("1h30m", 5400), ("1d", 86400)],
)
def test_durations_are_read(typed: str, seconds: float) -> None:
    assert seconds_of(typed) == seconds


@pytest.mark.parametrize("typed", ["soon", "2", "h", "-1h", "0s", "2 h", "1e9h", "999999d", "2hh", "1h30", "nan"])
def test_what_is_no_duration_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=r"^--budget (takes a duration such as|must be above 0)"):
        seconds_of(typed)


AS_ASKED = Way(lambda epochs: 10 + 100.0 * epochs, {})
HALF = Way(lambda epochs: 10 + 50.0 * epochs, {"precision": "bfloat16"}, ["precision float32 -> bfloat16"])
LITTLE = Way(lambda epochs: 10 + 95.0 * epochs, {"batch_size": 128}, ["batch size 64 -> 128"])


def test_nothing_is_given_up_if_all_fits() -> None:
    found = propose([AS_ASKED, HALF], 240, 24_010)
    assert (found.epochs, found.seconds, found.changes, found.gives_up) == (240, 24_010, {}, [])


def test_a_way_that_keeps_all_epochs_is_preferred() -> None:
    found = propose([AS_ASKED, HALF], 240, 13_000)
    assert (found.epochs, found.changes) == (240, {"precision": "bfloat16"})
    assert found.gives_up == ["precision float32 -> bfloat16"]


def test_epochs_are_given_up_when_nothing_else_helps() -> None:
    found = propose([AS_ASKED], 240, 9_700)
    assert (found.epochs, found.changes, found.gives_up) == (96, {"epochs": 96}, ["epochs 240 -> 96"])
    assert found.seconds == 9_610
    assert not found.is_short
    assert propose([AS_ASKED], 240, 500).is_short


def test_the_fastest_way_gets_the_most_epochs_if_it_pays() -> None:
    found = propose([AS_ASKED, LITTLE, HALF], 240, 5_010)
    assert found.changes == {"precision": "bfloat16", "epochs": 100}
    assert found.gives_up == ["epochs 240 -> 100", "precision float32 -> bfloat16"]
    assert propose([AS_ASKED, LITTLE], 240, 5_010).changes == {"epochs": 50}  # 5 % is not worth another batch size


def test_a_budget_below_one_epoch_is_said() -> None:
    found = propose([AS_ASKED], 240, 60)
    assert (found.epochs, found.seconds) == (0, 110)


def test_fewer_epochs_than_the_learning_rate_needs_to_rise_are_not_proposed() -> None:
    assert propose([AS_ASKED], 240, 509, least=5) == Proposal(0, 510, {}, [])
    assert propose([AS_ASKED], 240, 510, least=5).changes == {"epochs": 5}


def test_milestones_become_fractions_of_the_epochs() -> None:
    assert rescaled((150, 180, 0.875, 240, 300), 240) == (0.625, 0.75, 0.875)

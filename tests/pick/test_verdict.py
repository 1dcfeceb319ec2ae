"""Sentences about a choice."""

from stillhouse.grid.scores import Scored
from stillhouse.pick.candidates import ranked
from stillhouse.pick.verdict import too_early, verdict
from tests.pick.made_up import made_up, scored, to


def said(*found: Scored) -> list[str]:
    all_of_them = made_up(*found)
    return list(verdict(all_of_them, ranked(all_of_them)))


def test_a_second_within_the_interval_is_not_told_apart_and_its_speed_is_named() -> None:
    first, second = said(scored("slow", "CE", to(50, 80)), scored("fast", "CE", to(50, 79)))
    assert first == (
        "chosen: slow, CE: 80.00 % of 1,000 validation images after 9 epochs (95 % interval 77.41 to 82.36), 5 ms"
    )
    assert second == (
        "second: fast, CE: 79.00 %, within that interval, so these images do not tell the two apart; "
        "2.5 times as fast (2 ms)"
    )
    _, other = said(scored("fast", "CE", to(50, 80)), scored("slow", "CE", to(50, 70)))
    assert other == "second: slow, CE: 70.00 %, below that interval; 2.5 times as slow (5 ms)"
    _, same = said(scored("fast", "CE", to(50, 80)), scored("fast", "CE + KD", to(50, 70)))
    assert same.endswith("; as fast, since it is the same network")


def test_those_that_were_stopped_in_the_interval_of_that_time_are_counted() -> None:
    stopped = [scored("fast", name, to(value, 0), stopped=3) for name, value in (("a", 60), ("b", 59), ("c", 40))]
    _, last = said(scored("slow", "CE", to(60, 80)), *stopped)
    assert "accuracy at that time: 2 candidates, the fastest of them fast, a (2 ms); a longer --budget" in last


def test_a_stop_before_anything_was_learned_is_said() -> None:
    found = made_up(scored("slow", "CE", to(60, 80)), scored("fast", "a", to(10.5, 0), stopped=3))
    said = too_early(found, chance=10.0)
    assert said is not None
    assert said.startswith("1 of 2 candidates was no better than chance when stopped, after 3 epochs: too early")
    assert too_early(found, chance=1.0) is None

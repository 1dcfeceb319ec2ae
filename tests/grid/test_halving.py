"""Settings that are stopped early."""

import random

from stillhouse.grid.halving import Halving


def test_the_parts_leave_one_of_those_that_start_together() -> None:
    assert Halving(9).parts == [1 / 9, 1 / 3]
    assert [len(Halving(count).parts) for count in (1, 3, 4, 8, 9, 10, 27)] == [1, 1, 2, 2, 2, 3, 3]


def test_the_best_third_goes_on_of_equal_ones_the_first() -> None:
    halving = Halving(9)
    first, second = halving.parts
    assert halving.go_on(first, {number: float(number % 4) for number in range(9)}) == {2, 3, 7}
    assert halving.go_on(second, {2: 5.0, 3: 6.0, 7: 6.0}) == {3}


def test_later_settings_are_compared_with_all_before_and_none_may_go_on() -> None:
    halving = Halving(3)
    (part,) = halving.parts
    assert halving.go_on(part, {0: 10.0, 1: 20.0, 2: 90.0}) == {2}
    assert halving.go_on(part, {3: 30.0, 4: 40.0, 5: 50.0}) == {5}  # two of six
    assert halving.go_on(part, {6: 1.0, 7: 2.0, 8: 3.0}) == set()


def test_a_setting_that_failed_later_stops_no_other() -> None:
    halving = Halving(3)
    (part,) = halving.parts
    assert halving.go_on(part, {0: 10.0, 1: 20.0, 2: 90.0}) == {2}
    halving.forget([2])
    assert halving.go_on(part, {3: 30.0}) == {3}


def test_on_a_made_up_objective_the_best_setting_is_found_for_a_third_of_the_epochs() -> None:
    epochs, total, found = 81, 0, list[float]()
    draw = random.Random(0)
    for _ in range(20):
        ends = [draw.uniform(20, 80) for _ in range(9)]
        halving, going = Halving(9), set(range(9))
        trained = dict.fromkeys(going, 0)
        for part in [*halving.parts, 1.0]:
            trained |= dict.fromkeys(going, round(part * epochs))
            # an accuracy that rises to its end, and noise that falls
            top1 = {n: ends[n] * part**0.1 + draw.gauss(0, 2 * (1 - part)) for n in sorted(going)}
            going = halving.go_on(part, top1) if part < 1 else going
        total += sum(trained.values())
        found.append(max(ends) - max(ends[number] for number in going))
    assert total == 20 * (6 * 9 + 2 * 27 + 81)  # of 20 * 9 * 81
    assert sum(gap == 0 for gap in found) >= 14
    assert max(found) < 5

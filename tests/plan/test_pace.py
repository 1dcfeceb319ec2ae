"""The estimate of a training's time from that of its parts."""

from dataclasses import replace

from stillhouse.plan.pace import Pace


def test_the_teacher_counts_once_and_each_student_for_its_epochs() -> None:
    pace = Pace(10.0, {"CE": 1.0, "KD": 3.0})
    assert pace.seconds({"CE": 2, "KD": 4}) == 2 * 1 + 4 * 3 + 4 * 10
    assert pace.seconds({"not measured": 2}) == 2 * 2 + 2 * 10
    assert pace.seconds({}) == 0


def test_an_epoch_is_its_steps_its_beginning_and_its_evaluation() -> None:
    evaluations = {"CE": 7.0, "KD": 8.0}
    pace = Pace(10.0, {"CE": 1.0, "KD": 3.0}, 100, reading=2.0, evaluations=evaluations, begin=5.0)
    assert pace.step(["CE", "KD"]) == 10 + 1 + 3 + 2
    assert pace.step(["CE", "KD"], taught=0.25) == 2.5 + 1 + 3 + 2
    assert pace.epoch(["CE", "KD"]) == 100 * 16 + 7 + 8 + 5
    assert pace.seconds({"CE": 1, "KD": 3}) == pace.epoch(["CE", "KD"]) + 2 * pace.epoch(["KD"])
    assert pace.seconds({"KD": 3}, taught=0) == 3 * (100 * 5 + 8 + 5)


def test_an_epoch_as_a_step_takes_as_long() -> None:
    evaluations = {"CE": 7.0, "KD": 8.0}
    pace = Pace(10.0, {"CE": 1.0, "KD": 3.0}, 100, reading=2.0, evaluations=evaluations, begin=5.0)
    epochs = {"CE": 4, "KD": 9}
    assert pace.of_an_epoch().seconds(epochs) == pace.seconds(epochs)


def test_batches_that_are_read_meanwhile_take_time_only_if_they_take_longer() -> None:
    pace = Pace(1.0, {"KD": 3.0}, reading=2.0, overlaps=True)
    assert pace.step(["KD"]) == 4
    assert replace(pace, reading=9.0).step(["KD"]) == 9

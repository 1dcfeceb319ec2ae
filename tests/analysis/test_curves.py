"""Curves over the epochs: the right numbers, interrupted between phases, with names that do not overlap."""

import numpy as np
import pytest

from stillhouse.analysis import plots
from stillhouse.analysis.curves import apart, observations, training
from stillhouse.training.run_files import Row
from tests.helpers.figures import caption, faults, texts


def _row(epoch: int, phase: str = "distillation", **numbers: float) -> Row:
    return {"epoch": epoch, "phase": phase, "top1": 10.0 * epoch, "agreement": 11.0 * epoch} | numbers


ROWS = [
    _row(1, "AB warm-up", AB=4.0),
    _row(2, "AB warm-up", AB=3.0),
    _row(3, AB=0.0, CE=2.0, SpotAdaptive=300.0),
    _row(4, AB=0.0, CE=1.0, SpotAdaptive=200.0),
]


def test_training_shows_accuracies_and_terms() -> None:
    with plots.style():
        figure = training(ROWS, ["AB", "CE", "SpotAdaptive"], 97.0, None, "")
        assert faults(figure) == []
    accuracies, losses = figure.axes
    lines = [np.asarray(line.get_xydata()).tolist() for line in accuracies.lines]
    assert lines[0][0][1] == 97
    assert lines[1:] == [[[1, 11], [2, 22]], [[3, 33], [4, 44]], [[1, 10], [2, 20]], [[3, 30], [4, 40]]]
    assert [text.get_text() for text in accuracies.texts] == [
        *("AB warm-up", "student 40.00", "agreement 44.00", "teacher 97.00")
    ]
    assert losses.get_yscale() == "log"  # 1 to 300
    assert [np.asarray(line.get_ydata()).tolist() for line in losses.lines] == [[4, 3], [0, 0], [2, 1], [300, 200]]
    assert [text.get_text() for text in losses.texts] == ["AB warm-up", "AB", "CE", "SpotAdaptive"]


@pytest.mark.parametrize("terms", [[1.0, 2.0], [-1.0, 300.0]])
def test_terms_that_are_near_each_other_or_negative_are_not_on_a_logarithmic_scale(terms: list[float]) -> None:
    rows = [_row(1, CE=terms[0], KD=terms[1])]
    assert training(rows, ["CE", "KD"], 97.0, None, "").axes[1].get_yscale() == "linear"


def test_groups_have_a_panel_each_and_names_a_colour() -> None:
    names = ["M.attention_s1/t1", "M.attention_s1/t2", "M.attention_s2/t1", "M.attention_s2/t2", "M.temperature"]
    rows = [_row(1, "warm-up") | dict.fromkeys(names, 0.0)]
    rows += [_row(epoch) | {name: 0.1 * i * epoch for i, name in enumerate(names)} for epoch in (2, 3)]
    groups = {"attention_s1": names[:2], "attention_s2": names[2:4], "temperature": names[4:]}
    figure = observations(rows, groups, "Title", "")
    first, second, alone = figure.axes
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes] == [
        "attention s1",
        "attention s2",
        "temperature",
    ]
    assert np.asarray(second.lines[1].get_xydata()) == pytest.approx(np.array([[2, 0.6], [3, 0.9]]))
    assert [line.get_color() for line in first.lines] == [line.get_color() for line in second.lines]
    assert first.get_ylim() == second.get_ylim() != alone.get_ylim()  # names that differ in a number only
    assert [[text.get_text() for text in axes.texts] for axes in figure.axes] == [["t1", "t2"], ["t1", "t2"], []]


def test_the_baseline_is_drawn_and_named_with_teacher_and_student() -> None:
    beside = [_row(epoch) | {"top1": 9.0 * epoch} for epoch in (1, 2, 3, 4)]
    with plots.style():
        figure = training(ROWS, ["AB"], 41.0, beside, "Nets.")
        assert faults(figure) == []
    accuracies = figure.axes[0]
    assert [text.get_text() for text in accuracies.texts[1:]] == [
        *("baseline 36.00", "student 40.00", "teacher 41.00", "agreement 44.00")
    ]
    drawn = {tuple(np.asarray(line.get_ydata()).tolist()): line for line in accuracies.lines}
    looks = [(drawn[key].get_linestyle(), drawn[key].get_marker()) for key in ((9, 18, 27, 36), (10, 20))]
    assert looks[0] != looks[1]  # not told apart by colour alone
    assert "Baseline: the same student by itself." in caption(figure)
    assert "No baseline is known." in caption(training(ROWS, ["AB"], 41.0, None, "Nets."))


def test_accuracies_that_hardly_move_have_an_axis_on_which_they_look_so() -> None:
    rows = [_row(epoch) | {"top1": 71.0 + 0.01 * epoch, "agreement": 80.0} for epoch in (1, 2, 3)]
    low, high = training(rows, ["CE"], 71.3, None, "").axes[0].get_ylim()
    assert high - low >= 20
    losses = training([row | {"CE": 1 + 1e-4 * row["epoch"]} for row in rows], ["CE"], 71.3, None, "").axes[1]
    assert -0.1 < losses.get_ylim()[0] <= 0


def test_validation_images_are_said_to_be() -> None:
    figure = training(ROWS, ["AB"], 41.0, None, "", validated=True)
    assert figure.axes[0].get_ylabel() == "validation images (%)"
    assert "The teacher's line is its top-1 on the test images." in caption(figure)


def test_shares_have_a_whole_axis() -> None:
    rows = [_row(epoch) | {"M.on/a": 0.99, "M.on/b": 0.9 + 0.05 * epoch} for epoch in (1, 2)]
    axes = observations(rows, {"on": ["M.on/a", "M.on/b"]}, "Title", "").axes[0]
    assert axes.get_ylim() == pytest.approx((-0.03, 1.03))
    assert texts(axes) == ["a", "b"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0, 1.0], "nothing moved"),
        ([0.999985, 0.999999], "nothing moved\n(at most 1e-05)"),
        ([1.0], "one epoch only"),
        ([0.5, 0.6], None),
    ],
)
def test_a_panel_says_when_nothing_moved(values: list[float], said: str | None) -> None:
    rows = [_row(epoch) | {"M.on/a": value} for epoch, value in enumerate(values, 1)]
    with plots.style():
        figure = observations(rows, {"on": ["M.on/a"]}, "Title", "")
        assert faults(figure) == []
    assert texts(figure.axes[0]) == ([] if said is None else [said])


def test_many_long_names_do_not_cover_each_other() -> None:
    names = [f"A_method_with_a_long_name_{i}" for i in range(15)]
    rows = [_row(epoch) | dict.fromkeys(names, 1.0) for epoch in (1, 2)]
    with plots.style():
        assert faults(training(rows, names, 97.0, None, "Nets.")) == []


def test_one_epoch_is_one_tick() -> None:
    axes = training([_row(1, CE=1.0)], ["CE"], 97.0, None, "").axes[0]
    low, high = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]


def test_names_are_moved_apart_no_more_than_needed() -> None:
    assert apart([0.1, 0.5, 0.9], 0.1) == [0.1, 0.5, 0.9]
    assert apart([0.5, 0.5, 0.9], 0.1) == pytest.approx([0.5, 0.6, 0.9])
    assert apart([0.95, 0.97, 1.0], 0.1) == pytest.approx([0.8, 0.9, 1.0])
    assert apart([], 0.1) == []

"""The picture of a choice."""

import numpy as np
import torch

from stillhouse.analysis.plots import style
from stillhouse.pick.fast_enough import Limit
from stillhouse.pick.pareto import front, pareto, pictures
from tests.pick.made_up import LATENCIES, made_up, scored, to

LIMIT = Limit(6.0, 1, 1, torch.device("cpu"))
FOUND = made_up(
    scored("slow", "CE", to(50, 80)),
    scored("fast", "CE", to(40, 70)),
    scored("slow", "CE + AT", to(30, 0), stopped=3),
    scored("fast", "CE + AT", to(20, 0), stopped=3),
)


def test_the_front_is_beaten_by_none_in_both() -> None:
    assert [one.name for one in front(FOUND, 3)] == ["fast, CE", "slow, CE"]
    beaten = made_up(scored("slow", "CE", to(50, 70)), scored("fast", "CE", to(40, 70)))
    assert [one.name for one in front(beaten, 9)] == ["fast, CE"]


def test_a_panel_for_each_rung_shows_who_came_as_far_with_intervals() -> None:
    with style():
        figure = pareto(FOUND, FOUND[0], LIMIT, {"huge": LATENCIES["slow"]}, "Teacher T, data")
        figure.draw_without_rendering()
    first, last = figure.axes
    assert [axes.get_title(loc="left") for axes in (first, last)] == [
        "after 3 epochs: 4 candidates",
        "after 9 epochs: 2 candidates",
    ]
    assert [len(axes.collections) for axes in (first, last)] == [4, 2]  # the bars
    assert {text.get_text() for text in last.texts} == {"slow", "fast"}
    marks = [float(np.asarray(line.get_xdata()).max(initial=0)) for line in last.lines]
    assert max(marks) <= last.get_xlim()[1]
    caption = figure.get_supxlabel().replace("\n", " ")
    assert "Too slow: huge (5 ms)" in caption
    assert "Ring: chosen (slow, CE)" in caption


def test_there_is_none_if_nothing_was_trained() -> None:
    assert list(pictures(made_up(scored("slow", "CE")), None, LIMIT, {}, "")) == []

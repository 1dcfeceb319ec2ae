"""Reliability: right guesses by confidence, with what is not known of them."""

import numpy as np
import pytest
import torch

from stillhouse.analysis import plots
from stillhouse.analysis.metrics import error_of_confidence
from stillhouse.analysis.reliability import reliability
from stillhouse.report.intervals import wilson
from stillhouse.training.predictions import Predictions
from tests.helpers.figures import caption, faults, titles


def _sure(confidence: float, right: float, images: int) -> Predictions:
    labels = torch.zeros(images).int()
    guesses = (torch.arange(images) >= right * images).int()
    return Predictions(guesses, torch.full((images,), confidence), labels)


def test_networks_stand_beside_each_other_with_their_errors() -> None:
    networks = {"teacher": _sure(0.9, 0.8, 50), "student": _sure(0.5, 0.5, 50), "baseline": _sure(0.3, 0.9, 50)}
    with plots.style():
        figure = reliability(networks, "Nets.")
        assert faults(figure) == []
    assert titles(figure)[:3] == ["teacher: ECE 10.0 %", "student: ECE 0.0 %", "baseline: ECE 60.0 %"]
    above, below = figure.axes[0], figure.axes[3]
    diagonal, curve, few = above.lines
    assert len(few.get_xydata()) == 0  # type: ignore[arg-type]
    assert np.asarray(curve.get_xydata()) == pytest.approx(np.array([[90, 80]]))
    assert np.asarray(diagonal.get_xydata()).tolist() == [[0, 0], [100, 100]]
    low, high = above.collections[0].get_segments()[0][:, 1]  # type: ignore[attr-defined]
    assert (low, high) == pytest.approx(tuple(100 * end for end in wilson(40 / 50, 50)))
    assert above.get_xlim()[0] <= 0 < 100 <= above.get_xlim()[1]
    assert {axes.get_ylim() for axes in figure.axes[:3]} == {above.get_ylim()}
    assert sum(bar.get_height() for bar in below.patches) == pytest.approx(100)  # type: ignore[attr-defined]
    assert "50 test images in 15 bins" in caption(figure)
    assert len({str(axes.lines[1].get_marker()) for axes in figure.axes[:3]}) == 3  # not told apart by colour alone


def test_no_line_leads_through_bins_of_few_images() -> None:
    sure = torch.tensor([0.95] * 40 + [0.75] * 9 + [0.55] * 10)
    labels = torch.zeros(59).int()
    figure = reliability({"student": Predictions(labels, sure, labels)}, "")
    _, curve, few = figure.axes[0].lines
    assert np.asarray(curve.get_xydata())[:, 0] == pytest.approx([55, 95])
    assert np.asarray(few.get_xydata())[:, 0] == pytest.approx([75])
    assert (few.get_linestyle(), few.get_markerfacecolor()) == ("None", "white")
    assert "hollow: fewer than 10 images" in caption(figure)


def test_the_error_is_the_one_of_the_tables() -> None:
    one = _sure(0.73, 0.5, 31)
    figure = reliability({"student": one}, "")
    assert titles(figure)[0] == f"student: ECE {error_of_confidence(one.confidence, one.correct):.1f} %"

"""The picture has a bar for each look, which the terms fill."""

import pytest
from matplotlib.patches import Rectangle

from stillhouse.analysis.plots import style
from stillhouse.training.doctor.picture import picture, pictures


def test_bars_are_filled_by_the_shares() -> None:
    with style():
        figure = picture({1: {"CE": 1.0, "KD": 3.0}, 30: {"CE": 1.0, "KD": 1.0}}, "resnet8 from resnet20.")
    (axes,) = figure.axes
    bars = [bar for bar in axes.patches if isinstance(bar, Rectangle)]
    assert [bar.get_width() for bar in bars] == pytest.approx([25, 50, 75, 50])
    assert [bar.get_x() for bar in bars] == pytest.approx([0, 0, 25, 50])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["step 1", "step 30"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["CE", "KD"]


def test_without_a_measurement_there_is_no_picture() -> None:
    assert [*pictures({}, "")] == []
    assert [name for name, _ in pictures({1: {"CE": 1.0, "KD": 1.0}}, "")] == ["terms"]

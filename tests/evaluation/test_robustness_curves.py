"""Curves of robustness: a panel for each corruption, the counts that were measured."""

import numpy as np

from stillhouse.analysis import plots
from stillhouse.evaluation.corruptions import CORRUPTIONS
from stillhouse.evaluation.robustness import Robustness
from stillhouse.evaluation.robustness_curves import curves
from tests.helpers.figures import caption, faults, titles

NAMES = [one.name for one in CORRUPTIONS]
FOUND = Robustness(
    *(200, 1000, 32),
    {"student": 120, "teacher": 160},
    {role: {name: [100 - 10 * i - 3 * at for i in range(5)] for at, name in enumerate(NAMES)} for role in
     ("student", "teacher")},
)  # fmt: skip


def test_each_corruption_has_a_panel_with_a_curve_of_each_network() -> None:
    with plots.style():
        figure = curves(FOUND, "Nets.")
        assert faults(figure) == []
    assert titles(figure) == NAMES
    for at, axes in enumerate(figure.axes):
        lines = {str(line.get_label()): np.asarray(line.get_ydata()) for line in axes.get_lines()}
        assert set(lines) == {"student", "teacher"}
        assert lines["student"].tolist() == [60.0, *(50 - 5 * i - 1.5 * at for i in range(5))]
        assert lines["teacher"][0] == 80.0
    assert "200 of 1,000 test images" in caption(figure)

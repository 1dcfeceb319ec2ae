"""Curves of robustness: a panel for each corruption, the counts that were measured."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

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


def test_the_legend_of_four_networks_stands_beside_the_title() -> None:
    roles = ("student", "teacher", "baseline", "against")
    right = {role: FOUND.right["student"] for role in roles}
    with plots.style():
        figure = curves(Robustness(200, 1000, 32, dict.fromkeys(roles, 120), right), "Nets.")
        assert faults(figure) == []
        renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
        title = figure._suptitle.get_window_extent(renderer)  # type: ignore[attr-defined]
        legend = figure.legends[0].get_window_extent(renderer)
    assert title.x1 + 5 < legend.x0
    assert legend.x1 <= figure.bbox.x1

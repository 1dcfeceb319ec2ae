"""The pictures of an evaluation: those that the networks allow."""

from stillhouse.analysis import plots
from stillhouse.evaluation.figures import figures
from stillhouse.evaluation.report import Report
from tests.helpers.data import quick_data
from tests.helpers.evaluations import NAMES, made
from tests.helpers.figures import caption, titles


def test_a_network_alone_has_no_picture_of_changes() -> None:
    with plots.style():
        shown = dict(figures(Report([made("student", 5)], "pets", "abc", NAMES), NAMES, "Nets", quick_data()))
    assert list(shown) == ["confusion", "reliability", "reliability_scaled"]


def test_calibration_is_drawn_before_and_after() -> None:
    networks = [made("student", 5), made("teacher", 3), made("against", 9)]
    with plots.style():
        shown = dict(figures(Report(networks, "pets", "abc", NAMES), NAMES, "Nets", quick_data()))
    assert list(shown) == ["confusion", "reliability", "reliability_scaled", "classes"]
    found = networks[0].calibration
    assert found is not None
    assert f"student: ECE {found.before.error:.1f} %" in titles(shown["reliability"])
    assert f"student: ECE {found.after.error:.1f} %" in titles(shown["reliability_scaled"])
    assert "After temperature scaling" in caption(shown["reliability_scaled"])

"""Charts as elements of a page."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from stillhouse.analysis import plots
from stillhouse.report.charts import Charts
from stillhouse.report.compare import compare
from stillhouse.report.drawn import Drawn
from stillhouse.report.groups import Group
from tests.helpers.figures import caption, faults
from tests.helpers.finished import CE, KD, record


@pytest.fixture
def group(tmp_path: Path) -> Group:
    runs = [record(tmp_path, seed=seed) for seed in (0, 1)] + [record(tmp_path, [CE, KD], seed) for seed in (0, 1)]
    teacher = record(tmp_path, student="resnet56", weights_hash="7ea0", result={"parameters": 855770, "macs": 1.25e8})
    (found,) = compare([*runs, teacher])
    return found


def test_they_have_the_colours_of_the_page_and_names_of_their_own(group: Group) -> None:
    charts = Charts([group.title])
    drawn = [
        charts.seeds(group),
        charts.curves(group),
        charts.terms(group),
        charts.reliability(group),
        charts.sizes([group]),
    ]
    names: list[str] = []
    for one in drawn:
        assert one is not None
        root = ElementTree.fromstring(one)
        names += [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
        referred = set(re.findall(r'(?:"#|url\(#)([^")]+)', one))
        assert referred <= {element.attrib.get("id") for element in root.iter()}
        assert "var(--ink)" in one or "var(--faint)" in one
        assert not re.search(r"#(?:2b2b2b|0072b2|ffffff)|width=\"\d+(\.\d+)?pt\"", one)
    assert len(names) == len(set(names))


def test_lines_of_a_panel_differ_also_in_greyscale(group: Group) -> None:
    dashes = re.compile(r"stroke-dasharray")
    assert len(dashes.findall(Charts([]).terms(group))) >= 2  # KD's line, and its place in the legend


def test_small_differences_look_small_and_the_axis_says_how_many_seeds(group: Group) -> None:
    found, drawn = Drawn(), list[Figure]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(found, "element", lambda figure, _: drawn.append(figure))
        Charts([], found).seeds(group)
    (axes,) = drawn[0].axes
    low, high = axes.get_xlim()
    assert high - low >= 2
    assert axes.get_xlabel().startswith("top-1 after the last epoch, % (2 seeds")


@pytest.mark.parametrize(
    ("on", "said"), [("test", "; teacher: 99.50 %"), ("validation", "; teacher on validation images: 99.50 %")]
)
def test_it_is_said_on_which_images_a_teacher_was_measured(on: str, said: str, tmp_path: Path) -> None:
    found, drawn = Drawn(), list[Figure]()
    (group,) = compare([record(tmp_path, result={"teacher_top1": 99.5, "best_measured_on": on})])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(found, "element", lambda figure, _: drawn.append(figure))
        Charts([], found).seeds(group)
    assert said in caption(drawn[0])


def _figure(draw: Callable[[Charts], object], names: Sequence[str] = ()) -> Figure:
    """Return the figure that a chart hands over."""
    found, drawn = Drawn(), list[Figure]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(found, "element", lambda figure, _: drawn.append(figure))
        draw(Charts(names, found))
    return drawn[0]


def test_no_chart_has_cut_or_covered_text(tmp_path: Path) -> None:
    long = "SpotAdaptive(methods=[KD(temperature=4, weight=0.9), FitNet(weight=100)])"
    known = {"teacher_top1": 71.35}
    runs = [record(tmp_path, methods, seed, result=known) for methods in ([CE], [CE, long]) for seed in (0, 1)]
    teacher = record(tmp_path, student="resnet56", weights_hash="7ea0", result={"parameters": 855770, "macs": 1.25e8})
    (group,) = compare([*runs, teacher])
    for draw in (Charts.seeds, Charts.curves, Charts.terms, Charts.reliability):
        with plots.style():
            figure = _figure(partial(_draw, draw, group))
            figure.set_dpi(plots.DPI)
            assert faults(figure) == [], draw


def _draw(draw: Callable[[Charts, Group], object], group: Group, charts: Charts) -> object:
    return draw(charts, group)


def test_names_of_methods_break_between_their_parts() -> None:
    name = "CE + SpotAdaptive([KD(weight=1), FitNet])"
    assert Charts([name])._wrapped(name) == "CE + SpotAdaptive([KD(\nweight=1), FitNet])"


def test_panels_of_losses_have_one_kind_of_scale(tmp_path: Path) -> None:
    runs = [record(tmp_path), record(tmp_path, [CE, KD])]
    for row in runs[1].rows:
        row["KD"] = 1000.0
    (group,) = compare(runs)
    figure = _figure(lambda charts: charts.terms(group))
    assert {axes.get_yscale() for axes in figure.axes if axes.get_visible()} == {"log"}
    assert figure.axes[0].get_ylabel() == "loss (logarithmic)"


def test_a_size_alone_is_not_drawn(tmp_path: Path) -> None:
    (group,) = compare([record(tmp_path), record(tmp_path, [CE, KD])])
    assert Charts([]).sizes([group]) is None


def test_latency_has_a_panel_where_it_was_measured(tmp_path: Path) -> None:
    runs = [record(tmp_path, [CE, KD], result={"latency_ms": 1.5})]
    teacher = {"parameters": 855770, "macs": 1.25e8, "latency_ms": 4.5}
    runs.append(record(tmp_path, student="resnet56", weights_hash="7ea0", result=teacher))
    text = Charts([]).sizes(compare(runs))
    assert text is not None
    assert text.count("axes_") > 2


def test_runs_without_guesses_have_no_reliability(tmp_path: Path) -> None:
    (group,) = compare([record(tmp_path, [CE, KD], guesses=None)])
    assert Charts([]).reliability(group) is None


def test_names_are_text_in_a_chart(tmp_path: Path) -> None:
    (group,) = compare([record(tmp_path, [CE, KD], data='"><script>alert(1)</script>$x$')])
    text = Charts([group.title]).seeds(group)
    assert "<script" not in text
    assert "alert(1)" in str(ElementTree.fromstring(text).attrib["aria-label"])

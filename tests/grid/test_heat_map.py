"""The picture of a grid."""

import itertools

import numpy as np

from stillhouse.analysis import plots
from stillhouse.grid.axes import read_axes
from stillhouse.grid.heat_map import heat_map, pictures, spread
from tests.grid.runs import made_up
from tests.helpers.figures import faults


def test_the_two_settings_that_matter_most_are_drawn_and_of_each_field_the_best() -> None:
    axes = read_axes("a=1,2; b=1,2,3; c=1,2")
    points = itertools.product((1, 2), (1, 2, 3), (1, 2))
    cells = [made_up({"a": a, "b": b, "c": c}, 10 * a + 5 * c + b) for a, b, c in points]
    assert [spread(cells, axis) for axis in axes] == [10, 2, 5]
    figure = heat_map(cells, axes, cells[-1], "made up")
    assert figure is not None
    (plot,) = figure.axes
    assert (plot.get_ylabel(), plot.get_xlabel()) == ("a", "c")
    assert np.asarray(plot.images[0].get_array()).tolist() == [[18, 23], [28, 33]]
    assert figure.get_supxlabel().replace("\n", " ").endswith("is the best over b; these two matter most.")
    (frame,) = plot.patches
    assert frame.get_bbox().bounds == (0.5, 0.5, 1, 1)  # type: ignore[attr-defined]


def test_it_is_drawn_in_the_style_of_all_pictures_with_room_for_a_long_name_of_its_axis() -> None:
    name = "KD.temperature/weight"
    cells = [made_up({"KD.temperature": a, "weight": a, "b": b}, 10.0 * a + b) for a in (1, 2) for b in (1, 2)]
    drawn = pictures(cells, read_axes(f"{name}=1/1,2/2; b=1,2"), None, "made up")  # nothing is drawn before the style
    with plots.style():
        ((_, figure),) = drawn
        assert faults(figure) == []
    (plot,) = figure.axes
    assert plot.get_ylabel() == name
    assert plot.yaxis.label.get_fontsize() == plots.USUAL


def test_cells_that_failed_stay_empty_and_one_axis_is_no_picture() -> None:
    axes = read_axes("a=1,2; b=1,2")
    cells = [made_up({"a": a, "b": b}, None if a == b == 1 else 50.0) for a in (1, 2) for b in (1, 2)]
    figure = heat_map(cells, axes, None, "made up")
    assert figure is not None
    assert np.isnan(np.asarray(figure.axes[0].images[0].get_array())).tolist() == [[True, False], [False, False]]
    assert heat_map([made_up({"a": a}, 50.0) for a in (1, 2)], read_axes("a=1,2"), None, "made up") is None
    assert heat_map(cells, read_axes("a=1..2:log; b=1,2"), None, "made up") is None
    assert heat_map([made_up(one.settings, None) for one in cells], axes, None, "made up") is None

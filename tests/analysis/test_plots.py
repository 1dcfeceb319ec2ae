"""What plots have in common: whole files, equal for equal numbers; axes on which noise looks small."""

from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from stillhouse.analysis import plots
from stillhouse.analysis.matrices import matrix


def _luminance(colour: object) -> float:
    """Return the relative luminance of WCAG 2."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]  # type: ignore[arg-type]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _contrast(one: object, other: object) -> float:
    low, high = sorted([_luminance(one), _luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_files_are_whole_and_equal_for_equal_numbers(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with plots.style():
            figure = matrix(np.array([[0.5, 0.9]]), ["cat"], ["a", "b"], "Title", "More.", ("rows", "columns"))
            plots.save(figure, tmp_path / f"{name}.picture")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{name}.picture.{kind}" for name in ("one", "two") for kind in ("pdf", "png", "svg")
    ]
    root = ElementTree.parse(tmp_path / "one.picture.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    with Image.open(tmp_path / "one.picture.png") as image:
        image.verify()
        assert image.width == round(plots.ONE * 300)
    for kind in ("svg", "png", "pdf"):
        one, two = ((tmp_path / f"{name}.picture.{kind}").read_bytes() for name in ("one", "two"))
        assert one == two
    content = (tmp_path / "one.picture.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert b"/TrueType" in content or b"/CIDFontType2" in content
    assert b"/Type3" not in content
    assert b"/CreationDate" not in content


def test_some_formats_are_written_if_some_are_wanted(tmp_path: Path) -> None:
    with plots.style():
        plots.save(plots.canvas(2, 1, "Title", ""), tmp_path / "one", ["pdf"])
    assert [path.name for path in tmp_path.iterdir()] == ["one.pdf"]


def test_style_is_given_back() -> None:
    before = matplotlib.rcParams["font.size"]
    with plots.style():
        assert matplotlib.rcParams["font.size"] == plots.USUAL
    assert matplotlib.rcParams["font.size"] == before


def test_text_is_dark_on_everything_that_it_stands_on() -> None:
    for step in np.linspace(0, 1, 11):
        assert _contrast(plots.INK, plots.LIGHT_BLUES(step)) > 4.5
    for colour in (*plots.CATEGORIES, plots.STUDENT, plots.TEACHER, plots.BASELINE, plots.THIRD):
        assert _contrast(plots.dark(colour), "white") > 4.5


def test_scales_of_colour_fall_in_lightness_so_that_grey_ones_tell_the_same() -> None:
    for scale in (plots.BLUES, plots.LIGHT_BLUES):
        lightness = [_luminance(scale(step)) for step in np.linspace(0, 1, 21)]
        assert lightness == sorted(lightness, reverse=True)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.999985, 0.999999], (0, 1)),  # noise of a share
        ([0.0, 0.0], (0, 0.1)),
        ([0.3, 0.31], (0, 0.5)),
        ([75.2, 76.1], (0, 1.08 * 76.1)),
        ([-2.0, -1.0], (-2.16, 0)),
        ([-1.0, 1.0], (-1.12, 1.12)),
        ([float("nan")], (0, 1)),
    ],
)
def test_an_axis_does_not_zoom_into_noise(values: list[float], expected: tuple[float, float]) -> None:
    assert plots.limits(values) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([97.1, 97.3], (80, 100)),
        ([71.2, 71.3], (70, 90)),
        ([3.0, 71.0], (0, 80)),
        ([0.0, 0.1], (0, 20)),
        ([100.0, 100.0], (80, 100)),
        ([], (0, 100)),
    ],
)
def test_an_axis_of_percent_is_at_least_20_points_long(values: list[float], expected: tuple[float, float]) -> None:
    assert plots.percent_limits(values) == expected


def test_long_titles_and_captions_are_wrapped_to_the_width() -> None:
    figure = plots.canvas(plots.ONE, 1, "A title " * 12, "wide \N{CJK UNIFIED IDEOGRAPH-732B}" * 60)
    assert max(map(len, str(figure.get_suptitle()).split("\n"))) <= 12.5 * plots.ONE


def test_names_are_written_as_people_write_them() -> None:
    assert plots.plain("ScaleDecoupled.regions/half_there", " ") == "ScaleDecoupled regions half there"

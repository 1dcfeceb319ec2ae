"""Pictures: whole files, equal for equal numbers, and the right number at the right place."""

from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from stillhouse.analysis import plots

NAMES = [f"class {i}" for i in range(100)]


def _texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def _ticks(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def _caption(figure: Figure) -> str:
    return str(figure._supxlabel.get_text()).replace("\n", " ")  # type: ignore[attr-defined]


def test_files_are_whole_and_equal_for_equal_numbers(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with plots.style():
            figure = plots.accuracies(np.array([50.0, 90.0]), np.array([80.0, 85.0]), ["cat", "dog"], "Title", "More.")
            plots.save(figure, tmp_path / f"{name}.picture")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{name}.picture.{kind}" for name in ("one", "two") for kind in ("png", "svg")
    ]
    root = ElementTree.parse(tmp_path / "one.picture.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    with Image.open(tmp_path / "one.picture.png") as image:
        image.verify()
        assert image.width == 7 * 150
    for kind in ("svg", "png"):
        one, two = ((tmp_path / f"{name}.picture.{kind}").read_bytes() for name in ("one", "two"))
        assert one == two


def test_style_is_given_back() -> None:
    before = matplotlib.rcParams["font.size"]
    with plots.style():
        assert matplotlib.rcParams["font.size"] == 9
    assert matplotlib.rcParams["font.size"] == before


def test_classes_stand_in_the_order_of_the_students_loss() -> None:
    student, teacher = np.array([90.0, 50.0, 70.0, np.nan]), np.array([80.0, 80.0, 75.0, np.nan])
    figure = plots.accuracies(student, teacher, ["a", "b", "c", "none"], "Title", "By class.")
    (axes,) = figure.axes
    assert _ticks(axes) == ["b", "c", "a"]
    hollow, full = axes.collections[1:]
    assert np.asarray(full.get_offsets()).tolist() == [[50, 0], [70, 1], [90, 2]]
    assert np.asarray(hollow.get_offsets()).tolist() == [[80, 0], [75, 1], [80, 2]]
    assert _caption(figure) == "By class."


def test_of_many_classes_those_at_either_end_are_shown() -> None:
    student = np.arange(100.0)
    figure = plots.accuracies(student, np.full(100, 50.0), NAMES, "Title", "By class.")
    assert _ticks(figure.axes[0]) == [*NAMES[:20], *NAMES[80:]]
    assert _caption(figure) == "By class. The 40 at either end of 100 classes."
    figure = plots.by_class(np.stack([student, student], 1) / 100, NAMES, ["stage1", "logits"], "Title", "Shares.")
    assert _ticks(figure.axes[0]) == [*NAMES[:20], *NAMES[80:]]


def test_a_small_matrix_can_be_read() -> None:
    values = np.array([[0.0, 0.25, 1.0], [0.5, np.nan, 0.75]])
    figure = plots.matrix(values, ["s1", "s2"], ["t1", "t2", "t3"], "Title", "", ("student", "teacher"))
    (axes,) = figure.axes
    assert _texts(axes) == ["0.00", "0.25", "1.00", "0.50", "0.75"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("student", "teacher")
    assert axes.images[0].get_clim() == (0, 1)  # shares have one scale in all pictures
    figure = plots.matrix(4 * values, ["s1", "s2"], ["t1", "t2", "t3"], "Title", "", ("student", "teacher"))
    assert figure.axes[0].images[0].get_clim() == (0, 4)


def test_a_large_matrix_has_a_scale_instead() -> None:
    values = np.arange(10_000.0).reshape(100, 100)
    figure = plots.matrix(values, NAMES, NAMES, "Title", "", ("class", "logit"))
    axes, _ = figure.axes
    assert _texts(axes) == _ticks(axes) == []
    assert axes.images[0].get_clim() == (0, 9999)


def test_images_stand_beside_each_other_with_their_values() -> None:
    images = np.stack([np.full((8, 8, 3), 10 * i, dtype=np.uint8) for i in range(6)])
    values = np.array([0.0, 0.1, 0.2, 0.7, 0.8, 0.9])
    figure = plots.contact_sheet({"stage1": (values, images), "logits": (values, images)}, "Title", "")
    lowest, highest = figure.axes[:2]
    assert [axes.get_title(loc="left") or axes.get_title() for axes in (lowest, highest)] == ["lowest", "highest"]
    strip = np.asarray(highest.images[0].get_array())
    assert strip[4, [4, 14, 24], 0].tolist() == [30, 40, 50]
    assert strip[4, 9].tolist() == [255, 255, 255]
    assert [label.get_text() for label in highest.get_xticklabels()] == ["0.70", "0.80", "0.90"]
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["stage1", "logits"]


def test_classes_are_named_where_they_lie() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 3.0], [10.0, 9.0]])
    labels = np.array([4, 4, 4, 7])
    figure = plots.embeddings({"student": points, "teacher": -points}, labels, {4: "cat", 7: "dog"}, "Title", "")
    _, teacher = figure.axes
    assert [(text.get_text(), text.get_position()) for text in teacher.texts] == [("cat", (-1, 0)), ("dog", (-10, -9))]


def test_names_are_written_as_people_write_them() -> None:
    assert plots.plain("ScaleDecoupled.regions/half_there", " ") == "ScaleDecoupled regions half there"

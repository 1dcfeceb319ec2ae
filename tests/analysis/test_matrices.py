"""Matrices: the right number at the right place, colours that are comparable."""

import numpy as np

from stillhouse.analysis import plots
from stillhouse.analysis.matrices import LOGIT_STEPS, by_class, logits, matrix
from tests.helpers.figures import caption, faults, texts, ticks

NAMES = [f"class {i}" for i in range(100)]


def test_a_small_matrix_can_be_read() -> None:
    values = np.array([[0.0, 0.25, 1.0], [0.5, np.nan, 0.75]])
    with plots.style():
        figure = matrix(values, ["s1", "s2"], ["t1", "t2", "t3"], "Title", "", ("student", "teacher"))
        assert faults(figure) == []
    (axes,) = figure.axes
    assert texts(axes) == ["0.00", "0.25", "1.00", "0.50", "0.75"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("student", "teacher")
    assert axes.images[0].get_clim() == (0, 1)  # shares have one scale in all pictures
    figure = matrix(4 * values, ["s1", "s2"], ["t1", "t2", "t3"], "Title", "", ("student", "teacher"))
    assert figure.axes[0].images[0].get_clim() == (0, 4)


def test_a_large_matrix_has_a_scale_instead() -> None:
    values = np.arange(10_000.0).reshape(100, 100)
    figure = matrix(values, NAMES, NAMES, "Title", "", ("class", "logit"))
    axes, _ = figure.axes
    assert texts(axes) == ticks(axes) == []
    assert axes.images[0].get_clim() == (0, 9999)


def test_of_many_classes_those_at_either_end_are_shown() -> None:
    student, counts = np.arange(100.0) / 100, np.full(100, 7)
    figure = by_class(np.stack([student, student], 1), NAMES, counts, ["stage1", "logits"], "Title", "Shares.")
    assert ticks(figure.axes[0]) == [f"{name}  (n = 7)" for name in (*NAMES[:20], *NAMES[80:])]
    assert caption(figure) == "Shares. The 20 at either end of 100 classes; 60 between them are left out."


def test_classes_that_are_all_alike_are_said_to_be() -> None:
    counts = np.array([3, 4])
    still = by_class(np.array([[0.999], [0.9999]]), ["a", "b"], counts, ["logits"], "Title", "Shares.")
    assert "Nothing moved" in caption(still)
    moved = by_class(np.array([[0.5], [0.9999]]), ["a", "b"], counts, ["logits"], "Title", "Shares.")
    assert "Nothing moved" not in caption(moved)


def test_differences_of_logits_have_the_same_colours_in_every_run_and_a_named_diagonal() -> None:
    seen = []
    for scale in (0.3, 1.0):
        with plots.style():
            figure = logits(scale * np.array([[0.0, 1.5], [3.0, 0.0]]), ["cat", "dog"], "Title", "")
            assert faults(figure) == []
        image = figure.axes[0].images[0]
        assert image.norm.boundaries.tolist() == list(LOGIT_STEPS)  # type: ignore[attr-defined]
        assert np.isnan(np.ma.filled(np.ma.asarray(image.get_array()), np.nan)).tolist() == [
            [True, False],
            [False, True],
        ]
        colour = image.cmap(image.norm(np.array([1.5])))[0]
        assert not np.allclose(colour, image.cmap.get_bad())
        seen.append(np.asarray(colour).tolist())
        legend = figure.axes[0].get_legend()
        assert legend is not None
        assert legend.get_texts()[0].get_text().startswith("diagonal: a class's own logit")
        (diagonal,) = figure.axes[0].get_lines()  # in greyscale a colour of its own would look like a number
        assert np.asarray(diagonal.get_xydata()).tolist() == [[-0.5, -0.5], [1.5, 1.5]]
    assert seen[0] == seen[1]


def test_many_classes_are_numbered() -> None:
    with plots.style():
        figure = logits(np.ones((100, 100)), NAMES, "Title", "")
        assert faults(figure) == []
    assert ticks(figure.axes[0]) == [str(i) for i in range(0, 100, 10)]


def test_one_row_with_names_of_many_lines_fits() -> None:
    with plots.style():
        counts, names = np.array([1, 0]), ["stage1", "layer4\n2\nvery\nlong\nname"]
        values = np.array([[0.5, 0.6], [np.nan, np.nan]])
        assert faults(by_class(values, ["only", "none"], counts, names, "Title", "Shares.")) == []


def test_long_names_of_many_classes_fit() -> None:
    names = [f"a very long class name that goes...on {i}" for i in range(12)]
    with plots.style():
        assert faults(logits(np.ones((12, 12)), names, "Title", "")) == []

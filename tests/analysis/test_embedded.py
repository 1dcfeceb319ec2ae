"""Embeddings: names near the middle of their class that do not cover each other."""

import numpy as np

from stillhouse.analysis import plots
from stillhouse.analysis.embedded import embeddings
from tests.helpers.figures import faults, texts


def test_classes_are_named_where_they_lie() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 3.0], [10.0, 9.0]])
    labels = np.array([4, 4, 4, 7])
    figure = embeddings({"student": points, "teacher": -points}, labels, {4: "cat", 7: "dog"}, "Title", "")
    _, teacher = figure.axes
    assert sorted(texts(teacher)) == ["cat", "dog"]
    places = {text.get_text(): text.get_position() for text in teacher.texts}
    assert np.allclose(places["cat"], (-1, 0), atol=1e-6)
    assert np.abs(np.asarray(places["dog"]) - (-10, -9)).max() < 2  # moved into the frame, if at all


def test_names_of_many_classes_at_one_place_do_not_cover_each_other() -> None:
    labels = np.repeat(np.arange(40), 3)
    points = np.random.default_rng(0).normal(size=(120, 2))
    names = {i: f"name of {i}" for i in range(40)}
    with plots.style():
        figure = embeddings({"student": points, "teacher": points}, labels, names, "Title", "")
        assert faults(figure) == []
    assert len(figure.axes[0].texts) == 40
    assert figure.axes[0].lines  # from names that were moved away


def test_classes_differ_in_more_than_colour() -> None:
    points, labels = np.random.default_rng(0).normal(size=(20, 2)), np.repeat(np.arange(10), 2)
    figure = embeddings({"student": points}, labels, {i: str(i) for i in range(10)}, "Title", "")
    forms = [
        tuple(map(tuple, np.asarray(part.get_paths()[0].vertices).round(3))) for part in figure.axes[0].collections
    ]
    assert len(set(forms)) == 10


def test_classes_that_have_the_same_name_are_both_named() -> None:
    points, labels = np.array([[0.0, 0.0], [5.0, 5.0], [9.0, 0.0]]), np.array([0, 1, 2])
    figure = embeddings({"student": points}, labels, {0: "cat", 1: "cat", 2: "dog"}, "Title", "")
    assert sorted(texts(figure.axes[0])) == ["cat", "cat", "dog"]

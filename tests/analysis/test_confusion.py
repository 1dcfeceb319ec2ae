"""Confusion: the worst classes, and what they are taken for, counted a second time."""

import numpy as np
import torch

from stillhouse.analysis import plots
from stillhouse.analysis.confusion import confusion, counted
from stillhouse.training.predictions import Predictions
from tests.helpers.figures import caption, faults, texts, ticks, titles

GENERATOR = torch.Generator().manual_seed(0)


def _guessed(classes: int, images: int) -> Predictions:
    labels = torch.arange(images) % classes
    spoilt = torch.rand(images, generator=GENERATOR) < labels / classes  # the last classes are the worst
    guesses = torch.where(spoilt, (labels * 7 + 1) % classes // 3, labels)
    return Predictions(guesses.int(), torch.full((images,), 0.5), labels.int())


def test_guesses_are_counted_by_class() -> None:
    one = Predictions(torch.tensor([0, 1, 1, 0]).int(), torch.ones(4), torch.tensor([0, 0, 0, 1]).int())
    assert counted(one, 2).tolist() == [[1, 2], [1, 0]]


def test_few_classes_have_the_whole_matrix() -> None:
    networks = {"teacher": _guessed(3, 300), "student": _guessed(3, 300), "baseline": _guessed(3, 300)}
    with plots.style():
        figure = confusion(networks, ["cat", "dog", "emu"], "Nets.")
        assert faults(figure) == []
    assert titles(figure)[:3] == ["teacher", "student", "baseline"]
    assert ticks(figure.axes[0]) == ["cat", "dog", "emu"]
    shown = np.asarray(figure.axes[1].images[0].get_array())
    assert np.allclose(shown, counted(networks["student"], 3))  # 100 images of each class
    assert {axes.images[0].get_clim() for axes in figure.axes[:3]} == {(0, 100)}
    assert "100 test images of a class" in caption(figure)


def test_of_many_classes_the_worst_20_have_a_row_each() -> None:
    student, teacher, names = _guessed(100, 5000), _guessed(100, 5000), [f"name of class {i}" for i in range(100)]
    with plots.style():
        figure = confusion({"teacher": teacher, "student": student}, names, "Nets.")
        assert faults(figure) == []
    table = counted(student, 100)
    right = np.diag(table) / table.sum(1)
    others = np.diag(counted(teacher, 100)) / counted(teacher, 100).sum(1)
    worst = sorted(range(100), key=lambda i: (right[i], -others[i]))[:20]
    assert len({float(right[i]) for i in worst}) < 20  # some are equally bad
    assert ticks(figure.axes[0]) == [names[i] for i in worst]
    shown: plots.Numbers = np.asarray(np.ma.filled(np.ma.asarray(figure.axes[1].images[0].get_array()), np.nan))
    assert np.allclose(shown[:, 0], 100 * right[worst])
    assert np.nansum(shown, axis=1).round(6).tolist() == [100.0] * 20
    heads = [label.get_text() for label in figure.axes[1].get_xticklabels()]
    assert (heads[0], heads[-1]) == ("the class itself", "all others")
    wrong = table[worst].copy()
    wrong[np.arange(20), worst] = 0
    assert heads[1] == names[int(wrong.sum(0).argmax())]


def test_a_perfect_student_of_many_classes_has_no_wrong_columns() -> None:
    labels = torch.arange(24)
    perfect = Predictions(labels.int(), torch.ones(24), labels.int())
    figure = confusion({"student": perfect}, [str(i) for i in range(24)], "")
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["the class itself", "all others"]
    assert set(texts(figure.axes[0])) == {"100"}
    assert "4 more classes are as bad" in caption(figure)

import numpy as np
import torch

from stillhouse.analysis.data_figures import class_sizes, figures
from stillhouse.analysis.data_sheet import counts, rows
from tests.helpers.data import quick_data


def test_classes_have_their_names_and_numbers_of_images() -> None:
    data = quick_data()
    found = dict(figures(rows(data), counts(data), data.classes, "quick"))
    assert list(found) == ["sheet", "class_sizes"]
    names = [axes.get_ylabel() for axes in found["sheet"].axes if axes.get_ylabel()]
    assert names == ["a\n10 + 5", "b\n10 + 5", "c\n10 + 5", "d\n10 + 5"]


def test_sizes_of_classes_are_sorted() -> None:
    sizes = {"training": torch.tensor([3, 9, 5]), "test": torch.tensor([1, 0, 2])}
    (axes,) = class_sizes(sizes, "quick").axes
    heights = [np.asarray(line.get_ydata()).tolist() for line in axes.get_lines()]
    assert heights == [[9, 5, 3], [2, 1, 0]]

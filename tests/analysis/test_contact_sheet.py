"""Contact sheets: images beside each other with their values, and a word where all are alike."""

import numpy as np

from stillhouse.analysis import plots
from stillhouse.analysis.contact_sheet import contact_sheet
from tests.helpers.figures import caption, faults, titles

IMAGES = np.stack([np.full((8, 8, 3), 10 * i, dtype=np.uint8) for i in range(6)])
VALUES = np.array([0.0, 0.1, 0.2, 0.7, 0.8, 0.9])


def test_images_stand_beside_each_other_with_their_values() -> None:
    with plots.style():
        figure = contact_sheet({"stage1": (VALUES, IMAGES), "logits": (VALUES, IMAGES)}, "Title", "Shares.")
        assert faults(figure) == []
    highest = figure.axes[1]
    assert titles(figure)[:2] == ["lowest", "highest"]
    strip = np.asarray(highest.images[0].get_array())
    assert strip[4, [4, 14, 24], 0].tolist() == [30, 40, 50]
    assert strip[4, 9].tolist() == [255, 255, 255]
    assert [label.get_text() for label in highest.get_xticklabels()] == ["0.70", "0.80", "0.90"]
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["stage1", "logits"]
    assert caption(figure) == "Shares."


def test_values_that_are_all_alike_are_said_to_be() -> None:
    still = 0.99999 + 1e-6 * VALUES
    with plots.style():
        figure = contact_sheet({"stage1": (VALUES, IMAGES), "logits": (still, IMAGES)}, "Title", "Shares.")
        assert faults(figure) == []
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["stage1", "logits\n(nothing moved)"]
    assert "Nothing moved at logits: all images have the same value to within 0.01" in caption(figure)
    assert "Nothing moved: all" in caption(contact_sheet({"logits": (still, IMAGES)}, "Title", "Shares."))


def test_one_image_is_drawn() -> None:
    figure = contact_sheet({"logits": (VALUES[:1], IMAGES[:1])}, "Title", "")
    assert [len(axes.get_xticklabels()) for axes in figure.axes] == [0, 1]

"""The sheet of mistakes: images as the student is given them, each with file, class, guess and confidence."""

import numpy as np
import torch

from stillhouse.analysis import plots
from stillhouse.evaluation.mistake_sheet import images_of, sheet
from stillhouse.evaluation.mistakes import Mistake
from tests.helpers.data import quick_data
from tests.helpers.figures import caption, faults

MISTAKES = [Mistake(i, f"/far/away/{i}.jpg" if i % 2 else None, 0, 1, 99.5 - i, {}) for i in range(7)]


def test_each_image_has_its_words() -> None:
    images = images_of(MISTAKES, quick_data())
    with plots.style():
        figure = sheet(MISTAKES, images, ["ant", "a very long name of a class indeed"], 30, "Nets.")
        assert faults(figure) == []
    first, second = (axes.get_xlabel() for axes in figure.axes[:2])
    assert first.startswith("image 0\nant\ntaken for")
    assert first.endswith("99.5 % sure")
    assert second.startswith("1.jpg\nant\n")
    assert "/far" not in second
    assert "The 7 most confident of 30 wrong guesses" in caption(figure)


def test_images_are_those_of_the_mistakes() -> None:
    data = quick_data()
    images = images_of(MISTAKES[2:4], data)
    shown = data.test.evaluated(torch.tensor([2, 3]))
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (data.mean, data.std))
    expected = (255 * (shown * std + mean)).round().clamp(0, 255).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(images, expected.astype(np.uint8))

"""Images that a student takes for something else, most confidently."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..analysis.data_sheet import pixels
from ..analysis.plots import INK, SMALL, TWO, canvas
from ..data import Data
from ..spelling import printable, shortened
from .mistakes import Mistake

SHOWN = 20  # images
_COLUMNS = 5
_LETTERS = 22  # of a line below an image


def images_of(mistakes: Sequence[Mistake], data: Data) -> NDArray[np.uint8]:
    """Return the images of the first mistakes as the student is given them, (M, S, S, 3)."""
    places = torch.tensor([one.index for one in mistakes[:SHOWN]])
    shown: NDArray[np.uint8] = pixels(data.test.evaluated(places), data).numpy()
    return shown


def sheet(
    mistakes: Sequence[Mistake], images: NDArray[np.uint8], names: Sequence[str], total: int, caption: str
) -> Figure:
    """Draw the first mistakes, with the name of the file or the place of the image, the class, the guess, and how sure.

    Args:
        images: (M, S, S, 3), at most 20.
        names: Classes.
        total: The number of all wrong guesses.
    """
    rows = -(-len(images) // _COLUMNS)
    more = (
        f"The {len(images):,} most confident of {total:,} wrong guesses" if total > len(images) else "All wrong guesses"
    )
    caption += f" {more}, as the student is given the images. First line: file, or the image's number; then its class, "
    caption += "the guess, and the student's confidence in it."
    figure = canvas(TWO, 0.5 + 1.62 * rows, "Worst mistakes: the most confident wrong guesses", caption)
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.1)  # so that the last words and the caption stay apart
    grid = figure.subplots(rows, _COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, one, image in zip(grid.flat, mistakes, images, strict=False):
        axes.imshow(image, interpolation="nearest")
        file = f"image {one.index:,}" if one.file is None else printable(Path(one.file).name)
        lines = (file, names[one.label], f"taken for {names[one.guess]}", f"{one.confidence:.1f} % sure")
        text = "\n".join(shortened(line, _LETTERS) for line in lines)
        axes.set_xlabel(text, size=SMALL, color=INK)  # not a text below, for which the layout leaves no room
    return figure

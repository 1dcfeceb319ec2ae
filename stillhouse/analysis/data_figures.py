"""Figures of a data set: a sheet of its images, and the sizes of its classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from torch import Tensor

from .data_sheet import HELD_OUT, VIEWS, Pixels, Row
from .plots import LINES, STUDENT, TEACHER, THIRD, TWO, canvas


def figures(
    rows: Sequence[Row], counts: Mapping[str, Tensor], classes: Sequence[str], named: str
) -> Iterator[tuple[str, Figure]]:
    """Yield every figure with the name of its file.

    Args:
        rows: Classes on the sheet.
        counts: Images of each class, by split.
        classes: Their names.
        named: The data and how training shows them, for captions.
    """
    yield "sheet", sheet(rows, counts, classes, named)
    yield "class_sizes", class_sizes(counts, named)


def sheet(rows: Sequence[Row], counts: Mapping[str, Tensor], classes: Sequence[str], named: str) -> Figure:
    """Draw a row of images for each class."""
    shown = (
        f"{len(rows)} of {len(classes)} classes, from the largest to the smallest." if len(classes) > len(rows) else ""
    )
    caption = f"{named}. Left: what the first epoch shows; right: test images as evaluation shows them. "
    caption += f"Below a class: its numbers of {' + '.join(counts)} images. {shown}"
    figure = canvas(TWO, 0.6 + 0.54 * len(rows), "Images", caption)
    grid = figure.subplots(len(rows), 2, squeeze=False, width_ratios=[VIEWS, HELD_OUT])
    size = max(part.shape[1] for row in rows for part in (row.views, row.held_out) if part is not None)
    for number, (axes, row) in enumerate(zip(grid, rows, strict=True)):
        for one, part, many, heading in (
            (axes[0], row.views, VIEWS, "training views"),
            (axes[1], row.held_out, HELD_OUT, "test images"),
        ):
            one.imshow(_strip(part, many, size), interpolation="nearest")
            one.set_xticks([])
            one.set_yticks([])
            one.spines[:].set_visible(False)
            if number == 0:
                one.set_title(heading)
        held = " + ".join(f"{int(count[row.label]):,}" for count in counts.values())
        axes[0].set_ylabel(f"{classes[row.label]}\n{held}", rotation=0, ha="right", va="center")
    return figure


def _strip(images: Pixels | None, many: int, size: int) -> Pixels:
    """Return images side by side on white, (S, many * step, 3); there may be fewer than `many`."""
    step = size + max(1, size // 16)
    strip = np.full((size, many * step, 3), 255, dtype=np.uint8)
    for i, image in enumerate([] if images is None else images):
        strip[:, i * step : i * step + size] = image
    return strip


def class_sizes(counts: Mapping[str, Tensor], named: str) -> Figure:
    """Draw the number of images of each class, from the largest class to the smallest."""
    figure = canvas(TWO, 2.4, "Sizes of the classes", f"{named}. Each split is sorted by itself.")
    axes = figure.subplots()
    for (name, count), colour, line in zip(counts.items(), (STUDENT, THIRD, TEACHER), LINES, strict=False):
        ranked: NDArray[np.int64] = np.sort(count.numpy())[::-1]
        axes.step(np.arange(1, len(ranked) + 1), ranked, where="mid", color=colour, linestyle=line, label=name)
    axes.set_xlabel("classes, largest first")
    axes.set_ylabel("images")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.legend(frameon=False)
    return figure

"""Matrices of numbers as colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from ..spelling import shortened
from .fonts import columns_of
from .plots import BLUES, INK, LIGHT_BLUES, MOST_CLASSES, ONE, SMALL, STUDENT, TWO, Numbers, canvas, ends, left_out

LOGIT_STEPS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # ends of colours, the same for every run
_LONGEST = 24  # letters of a name below a column
_MOST_COLUMNS = 20  # with a number in each field
_MOVED = 0.01  # shares nearer to each other than this are shown as equal


def by_class(
    values: Numbers, classes: Sequence[str], counts: NDArray[np.int64], names: Sequence[str], title: str, caption: str
) -> Figure:
    """Draw (C, K), the mean of each class in each of K columns, classes with the lowest means first.

    Args:
        counts: (C,) images of each class.
    """
    order, missing = ends(values.mean(1))
    caption += left_out(missing, len(classes))
    known = values[np.isfinite(values).all(1)]
    if len(known) > 1 and (np.ptp(known, axis=0) < _MOVED).all():
        caption += " Nothing moved: the classes differ by less than 0.01, and their order says nothing."
    rows = [f"{classes[i]}  (n = {counts[i]:,})" for i in order]
    return matrix(values[order], rows, names, title, caption, ("class", ""))


def matrix(
    values: Numbers,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    caption: str,
    labels: tuple[str, str],
    *,
    low: float = 0.0,
    framed: tuple[int, int] | None = None,
) -> Figure:
    """Draw (R, C) numbers as colours, from 0 to 1 if they are in that range, and write them where there is room.

    Args:
        low: Number with the palest colour.
        framed: Row and column of the number that has a frame.
    """
    known = values[np.isfinite(values)]
    top = float(known.max()) if len(known) else 1.0
    top = 1.0 if top <= 1.0001 and known.min(initial=0.0) > -0.5 else top
    is_readable = len(columns) <= _MOST_COLUMNS
    figure, axes, image = _field(values, rows, columns, title, caption, labels, is_readable)
    image.set_clim(low, top if top > low else low + 1)
    if framed is not None:
        corner = (framed[1] - 0.5, framed[0] - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=STUDENT, linewidth=2, clip_on=False))
    if not is_readable:
        figure.colorbar(image, ax=axes, shrink=0.6, aspect=30).outline.set_visible(False)
        return figure
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", size=SMALL, color=INK)
    return figure


def logits(values: Numbers, classes: Sequence[str], title: str, caption: str) -> Figure:
    """Draw (C, C) differences of logits in steps of colour that are the same for every run; the diagonal has none."""
    if len(classes) > 1:
        values = values.copy()
        np.fill_diagonal(values, np.nan)
    caption += " Colours mean the same for every run."
    is_readable = len(classes) <= _MOST_COLUMNS
    labels = "class of the images", "logit of the class"
    figure, axes, image = _field(values, classes, classes, title, caption, labels, is_readable, 0.9)
    image.set_norm(BoundaryNorm(LOGIT_STEPS, BLUES.N, extend="max"))
    image.set_cmap(BLUES.with_extremes(bad="white"))
    bar = figure.colorbar(image, ax=axes, aspect=30, shrink=0.9, pad=0.02, extend="max", spacing="uniform")
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    bar.set_label("absolute difference of mean logits")
    bar.outline.set_visible(False)
    if len(classes) > 1:
        ends = [-0.5, len(classes) - 0.5]
        words = "diagonal: a class's own logit, left out"
        (line,) = axes.plot(ends, ends, color=INK, linewidth=0.8, label=words, scalex=False, scaley=False)
        axes.legend(handles=[line], loc="lower left", bbox_to_anchor=(0, 1), frameon=False, borderpad=0.2)
    if not is_readable:
        ticks = [i for i in range(0, len(classes), max(1, len(classes) // 10))]
        axes.set_xticks(ticks, [str(i) for i in ticks])
        axes.set_yticks(ticks, [str(i) for i in ticks])
        axes.set_xlabel("logit of the class, by its number")
        axes.set_ylabel("class of the images, by its number")
    return figure


def _field(
    values: Numbers,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    caption: str,
    labels: tuple[str, str],
    is_readable: bool,
    with_bar: float = 0.0,
) -> tuple[Figure, Axes, AxesImage]:
    """Return a figure with colours and names; `with_bar` is the room for a scale of colours, in inches."""
    is_named = len(rows) <= MOST_CLASSES
    beside = 0.3 + 0.065 * max(map(columns_of, rows)) * is_named
    needed = 0.065 * max(columns_of(line) for name in columns for line in name.split("\n")) + 0.08  # inches
    step = max(needed, 0.34)
    wanted = beside + step * len(columns) + with_bar
    is_turned = is_readable and wanted > TWO
    width = min(max(wanted, ONE), TWO) if is_readable else 4.1
    if is_turned:
        columns = [shortened(name, _LONGEST) for name in columns]
    lines = max(name.count("\n") for name in columns) if is_readable else 0
    below = 0.07 * max(map(columns_of, columns)) if is_turned else 0.13 * lines
    least = max(1.7 if with_bar else 0.7, 0.068 * columns_of(labels[0]))  # a long name of the axis fits
    height = 0.9 + below + (max(0.19 * len(rows), least) if is_named else 3.3)
    figure = canvas(width, height, title, caption)
    axes = figure.subplots()
    image = axes.imshow(values, cmap=LIGHT_BLUES, aspect="auto", interpolation="nearest")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_ylabel(labels[0])
    axes.set_xlabel(labels[1])
    axes.set_yticks(range(len(rows)) if is_named else [], rows if is_named else [])
    axes.set_xticks(range(len(columns)) if is_readable else [], columns if is_readable else [])
    axes.tick_params(axis="x", rotation=90 if is_turned else 0)
    return figure, axes, image

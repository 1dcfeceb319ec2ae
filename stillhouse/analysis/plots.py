"""Plots: numbers in, a matplotlib figure out. pyplot and its global state are not used."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from ..checkpoints import write_atomically
from .fonts import without_font_messages

Numbers = NDArray[np.float64]

STUDENT, TEACHER, THIRD = "#0072b2", "#3b3b3b", "#d55e00"
# Colours of Okabe and Ito, and of Tol: colour-blind people can tell them apart, and they are legible on white.
CATEGORIES = (
    *("#0072b2", "#d55e00", "#009e73", "#aa4499", "#b8860b", "#332288", "#56a0d3", "#882255", "#7a7a7a", "#5d7a1f"),
)
INK, FAINT, PALE = "#2b2b2b", "#6f6f6f", "#e4e4e4"
_BLUES = LinearSegmentedColormap.from_list("blues", ["#f7fafc", "#9cc4e0", "#2f79b5", "#08306b"])
_REDS = LinearSegmentedColormap.from_list("reds", ["#fcfaf7", "#f6c38a", "#dc6a1f", "#7a2000"])
_MOST_CLASSES = 40  # in one figure


@contextmanager
def style(families: Sequence[str] = ("DejaVu Sans",)) -> Iterator[None]:
    """Set the style of figures that are drawn and saved within the block.

    Args:
        families: Fonts; each character is drawn in the first that has it.
    """
    look = matplotlib.rc_context(
        {
            "font.family": list(families),
            "font.size": 9,
            "text.parse_math": False,  # a class may be called $100$
            "text.color": INK,
            "axes.edgecolor": FAINT,
            "axes.labelcolor": INK,
            "axes.linewidth": 0.6,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 9.5,
            "axes.titleweight": "bold",
            "axes.formatter.useoffset": False,
            "xtick.color": FAINT,
            "ytick.color": FAINT,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
            "figure.titlesize": 12,
            "figure.titleweight": "bold",
            "svg.hashsalt": "stillhouse",  # equal numbers, equal bytes
        }
    )
    with look, without_font_messages():
        yield


def save(figure: Figure, path: Path) -> None:
    """Write PATH.svg and PATH.png."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # once is enough, since layout takes longer than everything else
    for kind, metadata in (("svg", {"Date": None}), ("png", {})):
        content = io.BytesIO()
        figure.savefig(content, format=kind, dpi=150, metadata=metadata)
        write_atomically(path.with_name(f"{path.name}.{kind}"), content.getvalue())


def canvas(width: float, height: float, title: str, caption: str) -> Figure:
    """Return an empty figure of a size in inches, with a title above and a caption below."""
    lines = textwrap.wrap(caption, int(14.5 * width))
    figure = Figure(figsize=(width, height + 0.15 * len(lines)), layout="constrained", facecolor="white")
    figure.suptitle(title, x=0.1 / width, ha="left")
    figure.supxlabel("\n".join(lines), x=0.1 / width, ha="left", fontsize=8.5, color=FAINT)
    return figure


def plain(name: str, between: str) -> str:
    """Return METHOD.GROUP/NAME with another separator between its parts, for display."""
    return name.replace(".", between).replace("/", between).replace("_", " ")


def accuracies(student: Numbers, teacher: Numbers, names: Sequence[str], title: str, caption: str) -> Figure:
    """Draw (C,), (C,) percent of both networks by class, from the student's largest loss to its largest gain."""
    order, left_out = _ends(student - teacher)
    caption += f" The {len(order)} at either end of {len(names)} classes." if left_out else ""
    figure = canvas(7, 1.1 + 0.22 * len(order), title, caption)
    axes = figure.subplots()
    rows = np.arange(len(order))
    axes.hlines(rows, student[order], teacher[order], color="#c9c9c9", linewidth=2.2, zorder=1)
    axes.scatter(teacher[order], rows, s=52, c="white", edgecolors=TEACHER, linewidths=1.4, zorder=2, label="teacher")
    axes.scatter(student[order], rows, s=20, color=STUDENT, zorder=3, label="student")
    axes.set_yticks(rows, [names[i] for i in order])
    axes.invert_yaxis()
    axes.set_xlabel("accuracy on the images of the class, %")
    axes.grid(axis="x", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    figure.legend(loc="outside upper right", ncols=2, frameon=False, handletextpad=0.1)
    return figure


def _ends(values: Numbers) -> tuple[NDArray[np.intp], bool]:
    """Return positions in ascending order, without the middle ones if there are too many; NaN is left out."""
    order = np.argsort(values)[: np.isfinite(values).sum()]
    if len(order) <= _MOST_CLASSES:
        return order, False
    return np.concatenate([order[: _MOST_CLASSES // 2], order[-_MOST_CLASSES // 2 :]]), True


def by_class(values: Numbers, classes: Sequence[str], names: Sequence[str], title: str, caption: str) -> Figure:
    """Draw (C, K), the mean of each class in each of K columns, classes with the lowest means first."""
    order, left_out = _ends(values.mean(1))
    caption += f" The {len(order)} at either end of {len(classes)} classes." if left_out else ""
    return matrix(values[order], [classes[i] for i in order], names, title, caption, ("class", ""))


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
    """Draw (R, C) numbers as colours: blue if they are between 0 and 1, red otherwise.

    Args:
        low: Number with the palest colour.
        framed: Row and column of the number that has a frame.
    """
    top = float(np.nanmax(values)) or 1.0
    colours, top = (_BLUES, 1.0) if top <= 1.0001 and np.nanmin(values) > -0.5 else (_REDS, top)
    is_readable, is_named = len(columns) <= 20, len(rows) <= _MOST_CLASSES
    needed = 0.095 * max(len(line) for name in columns for line in name.split("\n"))  # inches
    column = max(4.0 / len(columns), min(max(needed, 0.6), 1.6)) if is_readable else 6.0 / len(columns)
    width = 1.2 + 0.08 * max(map(len, rows)) * is_named + column * len(columns)
    figure = canvas(width, 1.5 + (max(0.28 * len(rows), 1.0) if is_named else 6.0), title, caption)
    axes = figure.subplots()
    image = axes.imshow(values, cmap=colours, vmin=low, vmax=top, aspect="auto", interpolation="nearest")
    if framed is not None:
        corner = (framed[1] - 0.5, framed[0] - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=STUDENT, linewidth=2.5, clip_on=False))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_ylabel(labels[0])
    axes.set_xlabel(labels[1])
    axes.set_yticks(range(len(rows)) if is_named else [], rows if is_named else [])
    axes.set_xticks(range(len(columns)) if is_readable else [], columns if is_readable else [])
    axes.tick_params(axis="x", rotation=0 if needed <= column else 30)
    if not is_readable:
        figure.colorbar(image, ax=axes, shrink=0.6, aspect=30).outline.set_visible(False)
        return figure
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "white" if value - low > 0.55 * (top - low) else INK
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", size=8, color=colour)
    return figure


def contact_sheet(series: Mapping[str, tuple[Numbers, NDArray[np.uint8]]], title: str, caption: str) -> Figure:
    """Draw, by name, images (2 M, H, W, 3) with their values (2 M,), from the lowest to the highest."""
    figure = canvas(10.5, 1.1 + 0.8 * len(series), title, caption)
    grid = figure.subplots(len(series), 2, squeeze=False)
    for number, (row, (name, (values, images))) in enumerate(zip(grid, series.items(), strict=True)):
        half = len(values) // 2
        for axes, part, heading in zip(row, (slice(0, half), slice(half, None)), ("lowest", "highest"), strict=True):
            _strip(axes, values[part], images[part])
            if number == 0:
                axes.set_title(heading)
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    return figure


def _strip(axes: Axes, values: Numbers, images: NDArray[np.uint8]) -> None:
    """Draw images side by side, with their values below."""
    count, height, width = images.shape[:3]
    step = width + max(2, width // 10)
    strip = np.full((height, count * step, 3), 255, dtype=np.uint8)
    for i, image in enumerate(images):
        strip[:, i * step : i * step + width] = image
    axes.imshow(strip, interpolation="nearest")
    axes.set_xticks([i * step + width / 2 for i in range(count)], [f"{value:.2f}" for value in values], size=7.5)
    axes.set_yticks([])
    axes.tick_params(length=0, pad=1)
    axes.spines[:].set_visible(False)


def embeddings(
    points: Mapping[str, Numbers], labels: NDArray[np.int64], names: Mapping[int, str], title: str, caption: str
) -> Figure:
    """Draw (N, 2) points of each network, with the name of each class among its points."""
    figure = canvas(5.0 * len(points), 5.4, title, caption)
    for axes, (who, places) in zip(figure.subplots(1, len(points), squeeze=False)[0], points.items(), strict=True):
        axes.set_title(who)
        for number, (label, name) in enumerate(names.items()):
            mine, colour = places[labels == label], CATEGORIES[number % 10]
            axes.scatter(*mine.T, s=9, color=colour, alpha=0.75, linewidth=0, rasterized=True)
            if len(mine):
                text = axes.text(*np.median(mine, axis=0), name, ha="center", va="center", weight="bold")
                text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_aspect("equal", adjustable="datalim")
        axes.spines[:].set_visible(True)
        axes.spines[:].set_color(PALE)
    return figure

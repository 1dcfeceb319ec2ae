"""Sizes, colours, axes and files of all plots. pyplot and its global state are not used."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, Locator, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from ..checkpoints import write_atomically
from .fonts import columns_of, without_font_messages

Numbers = NDArray[np.float64]

ONE, TWO = 3.3, 6.75  # inches: one column of a paper, and both
FORMATS = ("svg", "png", "pdf")
SMALL, USUAL = 6.5, 7.5  # pt, at the size of the file
DPI = 300  # of pixels, and of the letters that the layout measures

STUDENT, TEACHER, BASELINE, THIRD = "#0072b2", "#3b3b3b", "#b8560b", "#009e73"
# Colours of Okabe and Ito, and of Tol: colour-blind people can tell them apart. Lines and dots also differ in form.
CATEGORIES = (
    *("#0072b2", "#d55e00", "#009e73", "#aa4499", "#b8860b", "#332288", "#56a0d3", "#882255", "#7a7a7a", "#5d7a1f"),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h")
LINES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)), (0, (7, 2, 2, 2)))
INK, FAINT, PALE = "#2b2b2b", "#6f6f6f", "#e4e4e4"
# One hue, lightness falling evenly; the light one stays light enough for dark text.
BLUES = LinearSegmentedColormap.from_list("blues", ["#f7fafc", "#9cc4e0", "#2f79b5", "#08306b"])
LIGHT_BLUES = LinearSegmentedColormap.from_list("light blues", ["#f7fafc", "#b9d5e9", "#79afd6"])
MOST_CLASSES = 40  # in one figure
WIDE = 20  # the largest of some values over the smallest, above which an axis is logarithmic


@contextmanager
def style(families: Sequence[str] = ("DejaVu Sans",)) -> Iterator[None]:
    """Set the style of figures that are drawn and saved within the block.

    Args:
        families: Fonts; each character is drawn in the first that has it.
    """
    look = matplotlib.rc_context(
        {
            "font.family": list(families),
            "font.size": USUAL,
            "text.parse_math": False,  # a class may be called $100$
            "text.color": INK,
            "axes.edgecolor": FAINT,
            "axes.labelcolor": INK,
            "axes.linewidth": 0.6,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": USUAL + 0.5,
            "axes.titleweight": "bold",
            "axes.formatter.useoffset": False,
            "legend.fontsize": USUAL,
            "xtick.color": FAINT,
            "ytick.color": FAINT,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
            "xtick.major.size": 2.5,
            "ytick.major.size": 2.5,
            "figure.titlesize": 9.5,
            "figure.titleweight": "bold",
            "svg.hashsalt": "stillhouse",  # equal numbers, equal bytes
            "pdf.fonttype": 42,  # TrueType, as journals want it
        }
    )
    with look, without_font_messages():
        yield


def save(figure: Figure, path: Path, formats: Sequence[str] = FORMATS) -> None:
    """Write PATH.svg, PATH.png and PATH.pdf, or some of them; pixels have 300 dpi."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # once is enough, since layout takes longer than everything else
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    for kind in formats:
        content = io.BytesIO()
        figure.savefig(content, format=kind, dpi=DPI, metadata=metadata.get(kind, {}))
        write_atomically(path.with_name(f"{path.name}.{kind}"), content.getvalue())


def canvas(width: float, height: float, title: str, caption: str) -> Figure:
    """Return an empty figure of a size in inches, with a title above and a caption below."""
    above, below = _wrapped(title, int(12.5 * width)), _wrapped(caption, int(17.5 * width))
    extra = 0.13 * len(below) + 0.16 * (len(above) - 1)
    figure = Figure(figsize=(width, height + extra), dpi=DPI, layout="constrained", facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.04)
    figure.suptitle("\n".join(above), x=0.05 / width, ha="left")
    figure.supxlabel("\n".join(below), x=0.05 / width, ha="left", fontsize=USUAL - 0.5, color="#505050")
    return figure


def _wrapped(text: str, width: int) -> list[str]:
    """Return lines of some columns; characters of some scripts take two."""
    return textwrap.wrap(text, max(10, width * len(text) // max(1, columns_of(text))))


def plain(name: str, between: str) -> str:
    """Return METHOD.GROUP/NAME with another separator between its parts, for display."""
    return name.replace(".", between).replace("/", between).replace("_", " ")


def dark(colour: str) -> str:
    """Return a colour dark enough for text on white."""
    red, green, blue = to_rgb(colour)
    return to_hex((0.62 * red, 0.62 * green, 0.62 * blue))


def limits(values: Sequence[float] | Numbers, least: float = 0.0) -> tuple[float, float]:
    """Return the ends of an axis on which small changes look small.

    Numbers of one sign begin at 0; all in [0, 1] end at 0.1, 0.2, 0.5 or 1. Of both signs they have a margin.

    Args:
        least: Length of the axis, at least.
    """
    known = [value for value in values if np.isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if low < 0 < high:
        margin = 0.06 * (high - low)
        return low - margin, high + margin
    if high <= 0 and low < 0:
        return min(1.08 * low, -least), 0.0
    if high <= 1:
        return 0.0, max(least, next(end for end in (0.1, 0.2, 0.5, 1.0) if high <= end))
    return 0.0, max(1.08 * high, least)


def percent_limits(values: Sequence[float] | Numbers, least: float = 20.0) -> tuple[float, float]:
    """Return the ends of an axis of percent: tens around all values, at least `least` apart and within 0 and 100."""
    known = [value for value in values if np.isfinite(value)] or [0.0, 100.0]
    low, high = 10 * np.floor(min(known) / 10), 10 * np.ceil(max(known) / 10)
    if low <= 30:
        low = 0.0
    missing = max(0.0, least - (high - low))
    high = min(100.0, high + 10 * np.ceil(missing / 20))
    low = max(0.0, min(low, high - least))
    return float(low), float(high)


def percent_axis(axes: Axes, values: Sequence[float] | Numbers, locator: Locator | None = None) -> None:
    """Give a y-axis of percent its ends, with room for a line that lies on them."""
    low, high = percent_limits(values)
    margin = 0.02 * (high - low)
    axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_major_locator(locator or MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def log_axis(axes: Axes, low: float, high: float) -> None:
    """Make the y-axis logarithmic around positive values, with at least two numbers on it."""
    axes.set_yscale("log", subs=[])
    axes.set_ylim(low / 1.5, high * 1.5)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,), numticks=8))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter("{x:g}")


def ends(values: Numbers) -> tuple[NDArray[np.intp], int]:
    """Return positions in ascending order of values, and how many in the middle were left out; NaN is not counted."""
    order = np.argsort(values, kind="stable")[: np.isfinite(values).sum()]
    missing = max(0, len(order) - MOST_CLASSES)
    if missing:
        order = np.concatenate([order[: MOST_CLASSES // 2], order[-(MOST_CLASSES // 2) :]])
    return order, missing


def left_out(missing: int, classes: int) -> str:
    """Return a sentence about the classes in the middle that are not drawn; empty if all are."""
    if not missing:
        return ""
    return f" The {MOST_CLASSES // 2} at either end of {classes:,} classes; {missing:,} between them are left out."


def counts_in_words(counts: NDArray[np.int64]) -> tuple[str, bool]:
    """Return a clause about the numbers of images of classes, and True if they are all equal."""
    low, high = int(counts.min()), int(counts.max())
    if low == high:
        return f"{low:,} test image{'s' * (low != 1)} of each class", True
    return f"{low:,} to {high:,} test images of a class", False

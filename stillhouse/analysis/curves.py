"""Curves over the epochs of a run."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..spelling import shortened
from ..training.run_files import Row
from .plots import (
    BASELINE,
    CATEGORIES,
    LINES,
    MARKERS,
    PALE,
    SMALL,
    STUDENT,
    TEACHER,
    THIRD,
    TWO,
    WIDE,
    canvas,
    dark,
    limits,
    log_axis,
    percent_axis,
    plain,
)
from .tables import percent

_SHADE = "#f0f0f0"
_LINE = 0.125  # inches from one name at the end of a curve to the next
_LONGEST = 24  # letters of a name
_MOVED = 0.01  # of the height of a panel: less cannot be seen


class _End(NamedTuple):
    """The end of a curve, where its name is written."""

    value: float
    name: str
    colour: str


class _Look(NamedTuple):
    """The look of a curve: colour, dashes and form of dots, each of which tells it from others."""

    colour: str
    line: object
    marker: str

    @classmethod
    def of(cls, number: int) -> _Look:
        return cls(CATEGORIES[number % 10], LINES[number % len(LINES)], MARKERS[number % 10])


def training(
    rows: Sequence[Row],
    terms: Sequence[str],
    teacher: float,
    baseline: Sequence[Row] | None,
    caption: str,
    validated: bool = False,
) -> Figure:
    """Draw the accuracies with the teacher's and the baseline's, and the terms of the loss.

    Args:
        teacher: Its top-1 in percent on the test images.
        baseline: The rows of the student by itself.
        validated: The rows were measured on validation images.
    """
    images = "validation" if validated else "test"
    caption += " Agreement: images for which student and teacher guess alike."
    caption += " Baseline: the same student by itself." if baseline else " No baseline is known."
    caption += " The teacher's line is its top-1 on the test images." if validated else ""
    caption += " Terms of the loss include their weights; means over an epoch of training."
    height = 1.9 + max(0.0, _LINE * (len(terms) - 12))
    figure = canvas(TWO, height + 0.6, "Training", caption)
    accuracies, losses = figure.subplots(1, 2)
    accuracies.set_title("Accuracy and agreement")
    accuracies.set_ylabel(f"{images} images (%)")
    accuracies.axhline(teacher, color=TEACHER, linewidth=1.1, linestyle=(0, (4, 2)))
    ends = [_End(teacher, f"teacher {percent(teacher)}", TEACHER)]
    drawn = [teacher, *(row[name] for row in rows for name in ("top1", "agreement") if name in row)]
    ends.append(_line(accuracies, rows, "agreement", "agreement", _Look(THIRD, (0, (1, 1)), "^")))
    if baseline:
        drawn += [row["top1"] for row in baseline]
        ends.append(_line(accuracies, baseline, "top1", "baseline", _Look(BASELINE, (0, (4, 1, 1, 1)), "s")))
    ends.append(_line(accuracies, rows, "top1", "student", _Look(STUDENT, "-", "o")))
    ends[1:] = [
        end if math.isnan(end.value) else end._replace(name=f"{end.name} {percent(end.value)}") for end in ends[1:]
    ]
    percent_axis(accuracies, drawn)
    longest = max(rows[-1]["epoch"], *(row["epoch"] for row in baseline or rows))
    _finish(accuracies, rows, ends, _LINE / height, longest)

    losses.set_title("Terms of the loss")
    losses.set_ylabel("loss")
    values = [row[term] for row in rows for term in terms if term in row]
    _scale_losses(losses, values)
    ends = [_line(losses, rows, term, shortened(term, _LONGEST), _Look.of(i)) for i, term in enumerate(terms)]
    _finish(losses, rows, ends, _LINE / height)
    return figure


def _scale_losses(axes: Axes, values: Sequence[float]) -> None:
    """Begin the axis at 0, or make it logarithmic if the values are very different."""
    smallest = min((value for value in values if value > 0), default=1.0)
    if not values or min(values) < 0 or max(values) <= WIDE * smallest:
        _limit(axes, values)
        return
    log_axis(axes, smallest, max(values))
    axes.set_ylabel("loss (logarithmic)")


def observations(rows: Sequence[Row], groups: Mapping[str, Sequence[str]], title: str, caption: str) -> Figure:
    """Draw columns by group, one panel per group; groups whose names differ only in a number share a scale.

    Epochs of warm-up phases are left out, because methods do not observe anything in them.
    """
    rows = [row for row in rows if row["phase"] == rows[-1]["phase"]]
    across = 2 if len(groups) == 4 else min(3, len(groups))
    down = math.ceil(len(groups) / across)
    most = max(map(len, groups.values()))
    height = max(1.0, _LINE * (most + 1))
    figure = canvas(TWO if across > 1 else 4.2, 0.45 + (height + 0.5) * down, title, caption)
    names = list(dict.fromkeys(_last(column) for columns in groups.values() for column in columns))
    scales: dict[str, list[float]] = {}
    for group, columns in groups.items():
        scales.setdefault(_stem(group), []).extend(row[column] for row in rows for column in columns if column in row)
    for position, (group, columns) in enumerate(groups.items(), 1):
        axes = figure.add_subplot(down, across, position)
        axes.set_title(plain(group, " "))
        if len(columns) == 1:
            ends = [_line(axes, rows, columns[0], "", _Look.of(0))]
        else:
            ends = [
                _line(axes, rows, column, shortened(_last(column), _LONGEST), _Look.of(names.index(_last(column))))
                for column in columns
            ]
        _limit(axes, scales[_stem(group)])
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        _finish(axes, rows, ends, _LINE / height)
        _say_if_still(axes, rows, columns)
    return figure


def _limit(axes: Axes, values: Sequence[float]) -> None:
    """Set the ends of the axis, with room for dots that lie on them."""
    low, high = limits(values)
    axes.set_ylim(low - 0.03 * (high - low), high + 0.03 * (high - low))


def _say_if_still(axes: Axes, rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Write into the panel that nothing moved, where no curve moves by what can be seen."""
    values = [[row[column] for row in rows if column in row] for column in columns]
    moved = max((max(one) - min(one) for one in values if one), default=0.0)
    low, high = axes.get_ylim()
    if len(rows) < 2:
        words = "one epoch only"
    elif moved <= _MOVED * (high - low):
        words = "nothing moved" if moved == 0 else f"nothing moved\n(at most {moved:.1g})"
    else:
        return
    middle = 0.5 * (low + high)
    above = np.mean([value for one in values for value in one] or [0.0]) < middle
    axes.annotate(words, (0.5, 0.75 if above else 0.25), xycoords="axes fraction", ha="center", va="center",
                  style="italic")  # fmt: skip


def _stem(group: str) -> str:
    return re.sub(r"\d+$", "", group)


def _last(column: str) -> str:
    """Return the name without the group."""
    return column.rpartition("/")[2]


def _line(axes: Axes, rows: Sequence[Row], column: str, name: str, look: _Look) -> _End:
    """Draw a curve, interrupted between phases."""
    end = math.nan
    for phase in _phases(rows):
        points = [(row["epoch"], row[column]) for row in rows if row["phase"] == phase and column in row]
        if points:
            x, y = zip(*points, strict=True)
            axes.plot(x, y, color=look.colour, linewidth=1.2, linestyle=look.line, marker=look.marker, markersize=3,
                      markevery=max(1, len(rows) // 12))  # fmt: skip
            end = y[-1]
    return _End(end, name, look.colour)


def _phases(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["phase"] for row in rows))


def _finish(axes: Axes, rows: Sequence[Row], ends: Sequence[_End], gap: float, longest: int | None = None) -> None:
    """Finish the axis of epochs, shade warm-up phases, and write names at the ends of curves, at least `gap` apart."""
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")
    first, last = rows[0]["epoch"], longest or rows[-1]["epoch"]
    margin = 0.03 * (last - first) + 0.05 if last > first else 0.5
    axes.set_xlim(first - margin, last + margin)
    axes.grid(axis="y", color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    for phase in _phases(rows)[:-1]:
        epochs = [row["epoch"] for row in rows if row["phase"] == phase]
        start = max(epochs[0] - 0.5, axes.get_xlim()[0])
        axes.axvspan(start, epochs[-1] + 0.5, color=_SHADE, linewidth=0)
        box = {"facecolor": _SHADE, "edgecolor": "none", "pad": 1}
        top = axes.get_xaxis_transform()
        axes.annotate(phase, (start, 1), (3, -3), top, "offset points", va="top", size=SMALL, bbox=box)
    known = sorted(end for end in ends if end.name and math.isfinite(end.value))
    to_axes = axes.transScale + axes.transLimits
    wanted = [min(1.0, max(0.0, float(to_axes.transform((1, end.value))[1]))) for end in known]
    for end, height in zip(known, apart(wanted, gap), strict=True):
        axes.annotate(end.name, (1, height), (3, 0), "axes fraction", "offset points", va="center",
                      color=dark(end.colour))  # fmt: skip


def apart(heights: Sequence[float], gap: float) -> list[float]:
    """Return ascending heights, moved as little as needed to be `gap` apart; the highest stays below 1 if possible."""
    moved = list(heights)
    for i in range(1, len(moved)):
        moved[i] = max(moved[i], moved[i - 1] + gap)
    limit = 1.0
    for i in reversed(range(len(moved))):
        moved[i] = limit = min(moved[i], limit)
        limit -= gap
    return moved

"""Curves over the epochs of a run."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from ..training.run_files import Row
from .plots import CATEGORIES, FAINT, PALE, STUDENT, TEACHER, THIRD, canvas, plain

_SHADE = "#f3f3f3"


class _End(NamedTuple):
    """The end of a curve, where its name is written."""

    value: float
    name: str
    colour: str


def training(rows: Sequence[Row], terms: Sequence[str], teacher: float, title: str, caption: str) -> Figure:
    """Draw the accuracies, with the teacher's for comparison, and the terms of the loss."""
    figure = canvas(9.5, 3.6, title, caption)
    accuracies, losses = figure.subplots(1, 2)
    accuracies.set_title("Accuracy on held-out images, %")
    accuracies.axhline(teacher, color=TEACHER, linewidth=1.2, linestyle=(0, (4, 2)))
    ends = [_End(teacher, "teacher", TEACHER)]
    ends.append(_line(accuracies, rows, "agreement", "agreement", THIRD, linestyle=":"))
    ends.append(_line(accuracies, rows, "top1", "student", STUDENT))
    _finish(accuracies, rows, ends, 0.075)

    losses.set_title("Terms of the loss")
    values = [row[term] for row in rows for term in terms if term in row]
    smallest = min((value for value in values if value > 0), default=1.0)
    if min(values) >= 0 and max(values) > 20 * smallest:
        losses.set_yscale("log", subs=[])
        losses.set_ylim(smallest / 1.5, max(values) * 1.5)
        losses.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        losses.yaxis.set_major_formatter("{x:g}")
    ends = [_line(losses, rows, term, term, CATEGORIES[i % 10]) for i, term in enumerate(terms)]
    _finish(losses, rows, ends, 0.075)
    return figure


def observations(rows: Sequence[Row], groups: Mapping[str, Sequence[str]], title: str, caption: str) -> Figure:
    """Draw columns by group, one panel per group; groups whose names differ only in a number share a scale.

    Epochs of warm-up phases are left out, because methods do not observe anything in them.
    """
    rows = [row for row in rows if row["phase"] == rows[-1]["phase"]]
    across = 2 if len(groups) == 4 else min(3, len(groups))
    down = math.ceil(len(groups) / across)
    figure = canvas(1 + 3.3 * across, 0.7 + 2.2 * down, title, caption)
    names = list(dict.fromkeys(_last(column) for columns in groups.values() for column in columns))
    panels: list[tuple[Axes, list[_End]]] = []
    scales: dict[str, Axes] = {}
    for position, (group, columns) in enumerate(groups.items(), 1):
        stem = re.sub(r"\d+$", "", group)
        axes = figure.add_subplot(down, across, position, sharey=scales.get(stem))
        scales.setdefault(stem, axes)
        axes.set_title(plain(group, " "))
        if len(columns) == 1:
            ends = [_line(axes, rows, columns[0], "", STUDENT)]
        else:
            ends = [
                _line(axes, rows, column, name, CATEGORIES[names.index(name) % 10])
                for column, name in [(column, _last(column)) for column in columns]
            ]
        panels.append((axes, ends))
    for axes, ends in panels:  # after all scales are known
        _finish(axes, rows, ends, 0.11)
    return figure


def _last(column: str) -> str:
    """Return the name without the group."""
    return column.rpartition("/")[2]


def _line(axes: Axes, rows: Sequence[Row], column: str, name: str, colour: str, linestyle: str = "-") -> _End:
    """Draw a curve, interrupted between phases."""
    end = math.nan
    for phase in _phases(rows):
        points = [(row["epoch"], row[column]) for row in rows if row["phase"] == phase and column in row]
        if points:
            marker = "o" if len(rows) <= 25 else ""
            x, y = zip(*points, strict=True)
            axes.plot(x, y, color=colour, linewidth=1.6, linestyle=linestyle, marker=marker, markersize=3.5)
            end = y[-1]
    return _End(end, name, colour)


def _phases(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["phase"] for row in rows))


def _finish(axes: Axes, rows: Sequence[Row], ends: Sequence[_End], gap: float) -> None:
    """Finish the axis of epochs, shade warm-up phases, and write names at the ends of curves, at least `gap` apart."""
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("epoch")
    first, last = rows[0]["epoch"], rows[-1]["epoch"]
    axes.set_xlim(first - 0.3, last + 0.02 * len(rows))
    axes.grid(axis="y", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    for phase in _phases(rows)[:-1]:
        epochs = [row["epoch"] for row in rows if row["phase"] == phase]
        start = max(epochs[0] - 0.5, first - 0.3)
        axes.axvspan(start, epochs[-1] + 0.5, color=_SHADE, linewidth=0)
        box = {"facecolor": _SHADE, "edgecolor": "none", "pad": 1}
        top = axes.get_xaxis_transform()
        axes.annotate(phase, (start, 1), (4, -4), top, "offset points", va="top", color=FAINT, size=8, bbox=box)
    _keep_shares(axes)
    known = sorted(end for end in ends if end.name and math.isfinite(end.value))
    to_axes = axes.transScale + axes.transLimits
    wanted = [max(0.0, float(to_axes.transform((1, end.value))[1])) for end in known]
    for end, height in zip(known, apart(wanted, gap), strict=True):
        axes.annotate(end.name, (1, height), (4, 0), "axes fraction", "offset points", va="center", color=end.colour)


def _keep_shares(axes: Axes) -> None:
    """Limit the axis to [0, 1] if all numbers are in that range."""
    low, high = axes.dataLim.intervaly
    if low >= 0 and high <= 1:
        bottom, top = axes.get_ylim()
        axes.set_ylim(max(bottom, -0.02), min(top, 1.02))


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

"""Pictures of what was measured after every epoch."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .pictures import CATEGORIES, FAINT, PALE, STUDENT, TEACHER, THIRD, canvas
from .runs import Row


def curves(rows: Sequence[Row], terms: Sequence[str], teacher: float, title: str, caption: str) -> Figure:
    """What was measured after each epoch, beside the terms of the loss; rows are those of metrics.jsonl."""
    figure = canvas(9.5, 3.7, title, caption)
    accuracies, losses = figure.subplots(1, 2)
    accuracies.set_title("Accuracy on held-out images, %")
    accuracies.axhline(teacher, color=TEACHER, linewidth=1.2, linestyle=(0, (4, 2)))
    measured = [("agreement", "agreement", THIRD), ("student", "top1", STUDENT)]
    drawn = [_line(accuracies, rows, key, name, colour) for name, key, colour in measured]
    _label_ends(accuracies, [*drawn, ("teacher", teacher, TEACHER)])
    losses.set_title("Terms of the loss")
    values = [row[term] for row in rows for term in terms if row.get(term) is not None]
    if values and min(values) > 0 and max(values) > 20 * min(values):
        losses.set_yscale("log")
    ends = [_line(losses, rows, term, term, CATEGORIES[i % 10]) for i, term in enumerate(terms)]
    _label_ends(losses, ends)
    for axes in (accuracies, losses):
        _over_epochs(axes, rows)
    return figure


def observations(rows: Sequence[Row], groups: Mapping[str, Sequence[str]], title: str, caption: str) -> Figure:
    """Groups of columns, a panel for each; those whose names differ in a number only have one scale."""
    across = min(3, len(groups))
    down = math.ceil(len(groups) / across)
    figure = canvas(1 + 3.3 * across, 0.9 + 2.2 * down, title, caption)
    shared: dict[str, Axes] = {}
    names = list(dict.fromkeys(column.rpartition("/")[2] for columns in groups.values() for column in columns))
    for position, (group, columns) in enumerate(groups.items()):
        stem = re.sub(r"\d+$", "", group)
        axes = figure.add_subplot(down, across, position + 1, sharey=shared.get(stem))
        shared.setdefault(stem, axes)
        axes.set_title(group.replace("_", " "))
        ends = []
        for column in columns:
            name = column.rpartition("/")[2]
            colour = CATEGORIES[names.index(name) % 10] if len(columns) > 1 else STUDENT
            ends.append(_line(axes, rows, column, name if len(columns) > 1 else "", colour))
        _over_epochs(axes, rows)
        _keep_shares(axes, [row[column] for row in rows for column in columns if row.get(column) is not None])
        _label_ends(axes, ends)
    return figure


def _line(axes: Axes, rows: Sequence[Row], column: str, name: str, colour: str) -> tuple[str, float, str]:
    """A curve over the epochs, interrupted between phases -> its name, end and colour"""
    end = math.nan
    for phase in dict.fromkeys(row["phase"] for row in rows):
        points = [(row["epoch"], row[column]) for row in rows if row["phase"] == phase and row.get(column) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.6, marker=_marker(rows), markersize=3.5)
            end = points[-1][1]
    return name, end, colour


def _marker(rows: Sequence[object]) -> str:
    return "o" if len(rows) <= 25 else ""


def _over_epochs(axes: Axes, rows: Sequence[Row]) -> None:
    """An axis of epochs; those of warm-up phases are shaded."""
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("epoch")
    axes.set_xlim(min(0.7, len(rows) / 2), len(rows) + 0.02 * len(rows))
    axes.grid(axis="y", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    for phase in dict.fromkeys(row["phase"] for row in rows):
        epochs = [row["epoch"] for row in rows if row["phase"] == phase]
        if phase != rows[-1]["phase"]:
            axes.axvspan(epochs[0] - 0.5, epochs[-1] + 0.5, color="#f3f3f3", linewidth=0)
            axes.text(epochs[0] - 0.4, 0.99, phase, transform=axes.get_xaxis_transform(), va="top", color=FAINT, size=8)


def _keep_shares(axes: Axes, values: Sequence[float]) -> None:
    """Numbers between 0 and 1 have no axis that goes further."""
    if values and min(values) >= 0 and max(values) <= 1:
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, -0.02), min(high, 1.02))


def _label_ends(axes: Axes, ends: Sequence[tuple[str, float, str]]) -> None:
    """Names at the ends of curves, moved apart where they would overlap."""
    known = sorted((end, name, colour) for name, end, colour in ends if name and math.isfinite(end))
    to_axes = axes.transScale + axes.transLimits
    heights = [float(to_axes.transform((1, end))[1]) for end, _, _ in known]
    gap = 0.085
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + gap)
    limit = 1.0
    for i in reversed(range(len(heights))):  # what was pushed out of the picture comes back
        heights[i] = limit = min(heights[i], limit)
        limit -= gap
    for (_, name, colour), height in zip(known, heights, strict=True):
        at = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "center"}
        axes.annotate(name, (1, height), (4, 0), color=colour, **at)

"""Charts of a comparison as SVG for a page; they take their colours from the page, light or dark."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from ..analysis.fonts import Lettering
from ..analysis.plots import CATEGORIES, FAINT, INK, LINES, MARKERS, PALE, WIDE, log_axis, style
from ..analysis.reliability import FEW, curve
from ..analysis.tables import magnitude
from ..spelling import counted, shortened
from ..training.run_files import loss_terms
from .drawn import Drawn
from .groups import Entry, Group
from .outcomes import reliability

_WIDTH = 4.9  # inches; on a phone letters stay as large as the page's small print
_SIZES = {"parameters": "parameters", "macs": "multiply-accumulates", "latency_ms": "ms for one image"}
_SPAN = 2.0  # points of top-1 from the left to the right, at least
_COLUMN = 26  # characters per line of a method's name
_LINE = 84  # characters of a note below a chart
_BREAKS = re.compile(r"([ ]+|(?<=[(\[=,]))")  # where a method's name may go on in the next line


class Charts:
    """Charts of some groups in one style.

    Args:
        names: All texts that may be drawn, for which fonts are chosen.
        drawn: Takes each figure.
    """

    def __init__(self, names: Sequence[str], drawn: Drawn | None = None):
        self._letters = Lettering.of(names)
        self._drawn = drawn or Drawn()

    def seeds(self, group: Group) -> str:
        """Draw every seed's top-1 and their mean by method."""
        rows = list(group.entries)
        names = [self._wrapped(entry.name) for entry in rows]
        with style(self._letters.families):
            figure = self._figure(0.75 + sum(0.16 + 0.15 * (name.count("\n") + 1) for name in names))
            axes = figure.subplots()
            if group.base is not None:
                axes.axvline(group.base.top1, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)))
            for y, entry in enumerate(rows):
                colour = self._colour(group, entry)
                axes.plot([entry.top1] * 2, [y - 0.32, y + 0.32], color=colour, linewidth=2.4, solid_capstyle="butt")
                axes.scatter([run.top1 for run in entry.runs], [y] * len(entry.runs), s=20, color=colour, alpha=0.65,
                             linewidth=0, zorder=3)  # fmt: skip
            axes.set_yticks(range(len(rows)), names)
            axes.set_ylim(len(rows) - 0.4, -0.6)
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
            axes.grid(axis="x", color=PALE, linewidth=0.6)
            axes.set_axisbelow(True)
            axes.xaxis.set_major_locator(MaxNLocator(6))
            low, high = axes.get_xlim()
            if high - low < _SPAN:  # small differences look small
                axes.set_xlim((low + high - _SPAN) / 2, (low + high + _SPAN) / 2)
            seeds = {len(entry.runs) for entry in rows}
            many = counted(min(seeds), "seed") if len(seeds) == 1 else f"{min(seeds)} to {max(seeds)} seeds"
            axes.set_xlabel(f"top-1 after the last epoch, % ({many})")
            _note(figure, ["dots: seeds", "bars: their means", *self._dashed(group), *_teacher(rows)])
            return self._drawn.element(figure, f"Top-1 of every seed by method, {group.title}")

    def curves(self, group: Group) -> str:
        """Draw top-1 by epoch, one panel per method with all of its seeds, and the baseline's mean in grey."""
        with style(self._letters.families):
            figure, panels = self._panels(group.entries)
            base = _mean_by_epoch(group.base, "top1") if group.base else {}
            for axes, entry in zip(panels, group.entries, strict=True):
                if base and entry is not group.base:
                    axes.plot(list(base), list(base.values()), color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
                for run in entry.runs:
                    epochs, values = [row["epoch"] for row in run.rows], [row["top1"] for row in run.rows]
                    mark = "o" if len(epochs) == 1 else ""
                    axes.plot(epochs, values, color=self._colour(group, entry), linewidth=1, alpha=0.8, marker=mark)
            for axes in panels[1:]:
                axes.sharey(panels[0])
            panels[0].set_ylabel("top-1, %")
            _note(figure, ["lines: seeds", *self._dashed(group)])
            return self._drawn.element(figure, f"Top-1 by epoch, {group.title}")

    def terms(self, group: Group) -> str:
        """Draw the terms of the loss by epoch, averaged over seeds, one panel per method."""
        with style(self._letters.families):
            figure, panels = self._panels(group.entries)
            drawn: list[list[float]] = [[] for _ in panels]
            for axes, entry, values in zip(panels, group.entries, drawn, strict=True):
                rows = [row for run in entry.runs for row in run.rows]
                names = list(dict.fromkeys(name for row in rows for name in loss_terms(row)))
                for number, name in enumerate(names):
                    means = _mean_by_epoch(entry, name)
                    values += means.values()
                    axes.plot(list(means), list(means.values()), color=CATEGORIES[number % 10], linewidth=1.3,
                              linestyle=LINES[number % len(LINES)], marker=MARKERS[number % 10], markersize=3,
                              markevery=max(1, len(means) // 8), label=self._letters.text(name))  # fmt: skip
                axes.legend(loc="best", frameon=False, fontsize=7, handlelength=2.4, labelspacing=0.2)
            _same_scale(panels, drawn)
            return self._drawn.element(figure, f"Terms of the loss by epoch, {group.title}")

    def reliability(self, group: Group) -> str | None:
        """Draw the share of right guesses by confidence, one panel per method; None if no run kept its guesses."""
        found = [reliability(entry) for entry in group.entries]
        if not any(found):
            return None
        with style(self._letters.families):
            figure, panels = self._panels(group.entries, "confidence, %")
            for axes, entry, points in zip(panels, group.entries, found, strict=True):
                axes.plot([0, 100], [0, 100], color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)))
                if points:
                    curve(axes, np.array(points), self._colour(group, entry), "o")
                axes.set(xlim=(-2, 102), ylim=(-2, 102))
            panels[0].set_ylabel("right, %")
            _note(figure, ["dashed: as often right as sure", f"hollow: fewer than {FEW} images"])
            return self._drawn.element(figure, f"Accuracy by confidence, {group.title}")

    def sizes(self, groups: Sequence[Group]) -> str | None:
        """Draw accuracy against parameters, multiply-accumulates and latency, if that was measured.

        None if fewer than two sizes are known.
        """
        points: dict[str, dict[str, list[tuple[float, float]]]] = {what: {} for what in _SIZES}
        for group in groups:
            entries = [*group.entries, *(Entry(one.student, [one]) for one in group.teachers)]
            for entry in entries:
                for what, found in points.items():
                    if (size := entry.mean(what)) is not None:
                        mine = found.setdefault(entry.runs[0].student, [])
                        mine += [] if (size, entry.top1) in mine else [(size, entry.top1)]
        several = {what: len({size for mine in found.values() for size, _ in mine}) for what, found in points.items()}
        if not several["latency_ms"]:
            del points["latency_ms"]
        if any(several[what] < 2 for what in points):
            return None
        with style(self._letters.families):
            figure = self._figure(2.5)
            panels = figure.subplots(1, len(points), sharey=True)
            for axes, (what, found) in zip(panels, points.items(), strict=True):
                _scatter(axes, found, {name: self._letters.text(name) for name in found})
                axes.set_xlabel(_SIZES[what])
            panels[0].set_ylabel("top-1 after the last epoch, %")
            return self._drawn.element(figure, f"Accuracy against size, {groups[0].data}")

    def _colour(self, group: Group, entry: Entry) -> str:
        if entry is group.base:
            return INK
        others = [one for one in group.entries if one is not group.base]
        return CATEGORIES[others.index(entry) % 10]

    def _dashed(self, group: Group) -> list[str]:
        return [] if group.base is None else [f"dashed: mean of {shortened(self._letters.text(group.base.name), 30)}"]

    def _wrapped(self, name: str) -> str:
        wrapper = textwrap.TextWrapper(_COLUMN, break_on_hyphens=False)
        wrapper.wordsep_simple_re = _BREAKS
        lines = wrapper.wrap(self._letters.text(name)) or [""]
        return "\n".join(lines if len(lines) <= 3 else [*lines[:2], f"{lines[2][: _COLUMN - 3]}..."])

    def _figure(self, height: float) -> Figure:
        return Figure(figsize=(_WIDTH, height), layout="constrained", facecolor="none")

    def _panels(self, entries: Sequence[Entry], across: str = "epoch") -> tuple[Figure, list[Axes]]:
        down = math.ceil(len(entries) / 2)
        figure = self._figure(0.25 + 1.75 * down)
        grid = figure.subplots(down, 2, squeeze=False)
        panels = list(grid.flatten())
        for axes, entry in zip(panels, entries, strict=False):
            axes.set_title(self._wrapped(entry.name), fontsize=8.5, weight="normal")
            axes.grid(axis="y", color=PALE, linewidth=0.6)
            axes.set_axisbelow(True)
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        for axes in panels[max(len(entries) - 2, 0) : len(entries)]:
            axes.set_xlabel(across)
        for axes in panels[len(entries) :]:
            axes.set_visible(False)
        return figure, panels[: len(entries)]


def _mean_by_epoch(entry: Entry, column: str) -> dict[int, float]:
    """Return the mean over the seeds that have this column, by epoch."""
    found: dict[int, list[float]] = {}
    for run in entry.runs:
        for row in run.rows:
            if column in row:
                found.setdefault(row["epoch"], []).append(row[column])
    return {epoch: fmean(values) for epoch, values in sorted(found.items())}


def _same_scale(panels: Sequence[Axes], drawn: Sequence[Sequence[float]]) -> None:
    """Give all panels a logarithmic axis if the values of one are very different; those with zeros say if not."""
    panels[0].set_ylabel("loss")
    if not any(values and min(values) > 0 and max(values) > WIDE * min(values) for values in drawn):
        return
    for axes, values in zip(panels, drawn, strict=True):
        if values and min(values) > 0:
            log_axis(axes, min(values), max(values))
            if axes is panels[0]:
                axes.set_ylabel("loss (logarithmic)")
        elif values:
            axes.set_ylabel("loss (linear)")


def _note(figure: Figure, words: Sequence[str]) -> None:
    """Write in small letters below a chart what its marks are."""
    figure.supxlabel(textwrap.fill("; ".join(words), _LINE), x=0.01, ha="left", fontsize=7, color=FAINT)


def _scatter(axes: Axes, found: Mapping[str, Sequence[tuple[float, float]]], names: Mapping[str, str]) -> None:
    """Draw the points of each network, with its name above the highest point."""
    for number, (name, points) in enumerate(found.items()):
        sizes, values = zip(*points, strict=True)
        axes.scatter(sizes, values, s=18, color=CATEGORIES[number % 10], marker=MARKERS[number % 10], alpha=0.8,
                     linewidth=0)  # fmt: skip
        at, label = max(points, key=lambda point: point[1]), names[name]
        label = label if len(label) <= 18 else f"{label[:15]}..."
        above = (0, 5 + 9 * (number % 2))  # points; names of networks of almost one size do not cover each other
        axes.annotate(label, at, above, textcoords="offset points", ha="center", size=7, color=CATEGORIES[number % 10])
    axes.set_xscale("log")
    axes.margins(x=0.35, y=0.2)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: magnitude(size).replace(".0", "")))
    axes.grid(axis="y", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)


def _teacher(rows: Sequence[Entry]) -> list[str]:
    """Return the teacher's top-1, if it is known, and on which images unless these are those of the students."""
    for entry in rows:
        if (top1 := entry.mean("teacher_top1")) is not None:
            on = {run.result.get("best_measured_on") for run in entry.runs}
            return [f"teacher{' on validation images' if on == {'validation'} else ''}: {top1:.2f} %"]
    return []

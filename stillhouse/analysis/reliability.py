"""Reliability curves of networks beside each other: right guesses by confidence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator

from ..report.intervals import wilson
from ..training.predictions import Predictions
from .metrics import by_confidence, error_of_confidence
from .plots import BASELINE, FAINT, INK, PALE, STUDENT, TEACHER, TWO, Numbers, canvas

FEW = 10  # images of a bin: the share of right ones among fewer says next to nothing
_TITLE = "Reliability: how often a guess is right, by the network's confidence in it"
_COLOURS = {"teacher": TEACHER, "student": STUDENT, "baseline": BASELINE}
_MARKERS = {"teacher": "o", "student": "s", "baseline": "^"}


def curve(axes: Axes, points: Numbers, colour: str, marker: str) -> None:
    """Draw the right guesses by confidence; bins of few images are hollow dots, through which no line leads.

    Args:
        points: Confidence and accuracy in percent, and the number of images, (B, 3).
    """
    many = points[:, 2] >= FEW
    axes.plot(*points[many, :2].T, color=colour, linewidth=1.1, marker=marker, markersize=3)
    axes.plot(*points[~many, :2].T, color=colour, linestyle="", marker=marker, markersize=3, markerfacecolor="white",
              markeredgewidth=0.7)  # fmt: skip


def reliability(networks: Mapping[str, Predictions], caption: str, title: str = _TITLE) -> Figure:
    """Draw the share of right guesses in each bin of confidence, and below it the share of images in the bin."""
    images = len(next(iter(networks.values())).labels)
    caption += (
        f" {images:,} test image{'s' * (images != 1)} in 15 bins of confidence; bars: 95 % interval of a share "
        f"(Wilson); hollow: fewer than {FEW} images; dashed: as often right as sure; below it a network is too sure; "
        "dotted: top-1. ECE: expected calibration error."
    )
    figure = canvas(TWO, 3.1, title, caption)
    grid = figure.subplots(2, len(networks), sharex=True, sharey="row", squeeze=False, height_ratios=[3, 1])
    most = 0.0
    for (above, below), (who, one) in zip(grid.T, networks.items(), strict=True):
        sums = by_confidence(one.confidence, one.correct).numpy()
        count, sure, right = sums[sums[:, 0] > 0].T
        low, high = np.array([wilson(r / n, n) for r, n in zip(right, count, strict=True)]).T
        above.plot([0, 100], [0, 100], color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)))
        above.vlines(100 * sure / count, 100 * low, 100 * high, color=_COLOURS[who], linewidth=0.8)
        curve(above, np.stack([100 * sure / count, 100 * right / count, count], 1), _COLOURS[who], _MARKERS[who])
        error = error_of_confidence(one.confidence, one.correct)
        above.set_title(f"{who}: ECE {error:.1f} %")
        above.set(xlim=(-2, 102), ylim=(-2, 102), aspect="auto")
        edges = np.linspace(0, 100, len(sums) + 1)
        below.bar(edges[:-1], 100 * sums[:, 0] / images, np.diff(edges), align="edge", color="#c3cdd6",
                  edgecolor="white", linewidth=0.4)  # fmt: skip
        below.axvline(100 * float(one.correct.double().mean()), color=INK, linewidth=0.9, linestyle=(0, (1, 1)))
        below.set_xlabel("confidence (%)")
        most = max(most, float(sums[:, 0].max()) / images)
        for axes in (above, below):
            axes.grid(axis="y", color=PALE, linewidth=0.5)
            axes.set_axisbelow(True)
            axes.xaxis.set_major_locator(MultipleLocator(20))
        above.yaxis.set_major_locator(MultipleLocator(20))
    grid[1, 0].set_ylim(0, next(top for top in (25, 50, 100) if 100 * most <= top + 1e-6))
    grid[1, 0].yaxis.set_major_locator(MaxNLocator(2, steps=[1, 2.5, 5, 10]))
    grid[0, 0].set_ylabel("right (%)")
    grid[1, 0].set_ylabel("images (%)")
    return figure

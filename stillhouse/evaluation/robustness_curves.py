"""Accuracy of networks by the strength of corruptions."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ..analysis.plots import BASELINE, PALE, STUDENT, TEACHER, THIRD, TWO, canvas, percent_axis
from ..report.intervals import of_share
from .corruptions import CORRUPTIONS, STRENGTHS
from .robustness import Robustness

_LOOKS = {  # colour, marker, line
    "teacher": (TEACHER, "o", "--"),
    "student": (STUDENT, "s", "-"),
    "baseline": (BASELINE, "^", ":"),
    "against": (THIRD, "D", "-."),
}


def curves(found: Robustness, caption: str) -> Figure:
    """Draw a panel for each corruption, with a curve for each network from clean images to the strongest corruption."""
    caption += (
        f" {found.images:,} of {found.of:,} test images; bars: 95 % interval (Wilson) of each share. Strength 0: the "
        f"images as they are. Strengths 1 to 5: Hendrycks & Dietterich 2019."
    )
    figure = canvas(TWO, 2.2, "Accuracy on corrupted images", caption)
    grid = figure.subplots(1, len(CORRUPTIONS), sharex=True, sharey=True, squeeze=False)[0]
    steps = np.arange(STRENGTHS + 1)
    values: list[float] = []
    for axes, corruption in zip(grid, CORRUPTIONS, strict=True):
        for place, role in enumerate(role for role in _LOOKS if role in found.clean):
            colour, marker, line = _LOOKS[role]
            counts = [found.clean[role], *found.right[role][corruption.name]]
            shares = [100 * count / found.images for count in counts]
            low, high = zip(*(of_share(count, found.images) for count in counts), strict=True)
            at = steps + 0.06 * (place - 1)
            axes.vlines(at, low, high, color=colour, linewidth=0.8)
            axes.plot(at, shares, color=colour, marker=marker, linestyle=line, markersize=3, linewidth=1.1, label=role)
            values += [*low, *high]
        axes.set_title(corruption.name)
        axes.set_xticks(steps)
        axes.set_xlabel("strength")
        axes.grid(axis="y", color=PALE, linewidth=0.5)
        axes.set_axisbelow(True)
    percent_axis(grid[0], values)
    grid[0].set_ylabel("top-1 (%)")
    figure.legend(
        *grid[0].get_legend_handles_labels(), loc="outside upper right", ncols=4, frameon=False, columnspacing=1.5
    )
    return figure

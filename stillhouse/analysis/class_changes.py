"""Accuracy by class of a student, its teacher and its baseline, and what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator

from ..report.intervals import over_images
from ..training.predictions import Predictions
from .metrics import mean_by_class
from .plots import (
    BASELINE,
    FAINT,
    PALE,
    STUDENT,
    TEACHER,
    TWO,
    Numbers,
    canvas,
    counts_in_words,
    ends,
    left_out,
)


def class_changes(networks: Mapping[str, Predictions], names: Sequence[str], caption: str) -> Figure:
    """Draw the accuracy of each network by class, and the student's change with its 95 % interval.

    Args:
        networks: The student, its teacher, and its baseline if that is known, by these names. The change is over the
            baseline, or over the teacher if there is none.
    """
    student, over = networks["student"], "baseline" if "baseline" in networks else "teacher"
    shares = {
        who: _numbers(100 * mean_by_class(one.correct, one.labels.long(), len(names))) for who, one in networks.items()
    }
    changes = shares["student"] - shares[over]
    order, missing = ends(changes)
    counts = student.labels.long().bincount(minlength=len(names)).numpy()
    clause, are_equal = counts_in_words(counts[order])
    caption += f" {clause}. Change: student minus {over}, with its 95 % interval over the images."
    caption += left_out(missing, len(names))
    empty = int((counts == 0).sum())
    caption += f" {empty} without test images." if empty else ""
    figure = canvas(TWO, 0.95 + 0.155 * max(2, len(order)), "Accuracy by class", caption)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
    rows = np.arange(len(order))
    low, high = (ends_of(np.stack([share[order] for share in shares.values()]), 0) for ends_of in (np.min, np.max))
    left.hlines(rows, low, high, color="#c9c9c9", linewidth=1.2, zorder=1)
    forms = {"teacher": ("o", "white", TEACHER, 24), "baseline": ("|", BASELINE, BASELINE, 40)}
    forms["student"] = ("o", STUDENT, STUDENT, 12)
    for who, (marker, face, edge, size) in forms.items():
        if who in shares:
            colours = {"color": face} if marker == "|" else {"facecolor": face, "edgecolor": edge}
            left.scatter(
                shares[who][order], rows, s=size, marker=marker, linewidths=1.1, zorder=3, label=who, **colours
            )
    pairs = [
        over_images(student.correct[student.labels == i], networks[over].correct[student.labels == i]) for i in order
    ]
    right.axvline(0, color=FAINT, linewidth=0.8)
    right.hlines(rows, [pair.low for pair in pairs], [pair.high for pair in pairs], color=STUDENT, linewidth=0.9)
    right.scatter(changes[order], rows, s=12, color=STUDENT, zorder=3)
    left.set_yticks(rows, [names[i] if are_equal else f"{names[i]}  (n = {counts[i]:,})" for i in order])
    left.set_ylim(len(order) - 0.4, -0.6)
    left.set_xlim(-3, 103)
    reach = min(103.0, max([20.0, *(1.05 * abs(end) for pair in pairs for end in (pair.low, pair.high))]))
    right.set_xlim(-reach, reach)
    left.xaxis.set_major_locator(MultipleLocator(20))
    right.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 4, 5, 10]))
    left.set_xlabel("top-1 on the test images of the class (%)")
    right.set_xlabel(f"change over the {over} (points)")
    for axes in (left, right):
        axes.grid(axis="x", color=PALE, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        if missing:
            axes.axhline(len(order) / 2 - 0.5, color=FAINT, linewidth=0.6, linestyle=(0, (4, 3)))
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False, handletextpad=0.1
    )
    return figure


def _numbers(values: object) -> Numbers:
    return np.asarray(values, dtype=np.float64)

"""Pictures of what came out: numbers in, a matplotlib figure out. pyplot, and its global state, are left out."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from .checkpoints import write_atomically

Curve = Sequence[float | None]  # a number for each epoch, None where there was none
Numbers = NDArray[np.float64]

STUDENT, TEACHER, THIRD = "#0072b2", "#3b3b3b", "#d55e00"
# Ten colours that colour-blind people can tell apart (Petroff, arXiv:2107.02270).
CATEGORIES = (
    *("#3f90da", "#e76300", "#832db6", "#94a4a2", "#bd1f01", "#a96b59", "#ffa90e", "#717581", "#b9ac70", "#92dadd"),
)
_INK, _FAINT, _PALE = "#2b2b2b", "#6f6f6f", "#e4e4e4"
_BLUES = LinearSegmentedColormap.from_list("blues", ["#f7fafc", "#9cc4e0", "#2f79b5", "#08306b"])
_REDS = LinearSegmentedColormap.from_list("reds", ["#fcfaf7", "#f6c38a", "#dc6a1f", "#7a2000"])
MOST_CLASSES = 40  # in one picture


def style() -> AbstractContextManager[None]:
    """How pictures look; to be held while they are drawn and saved."""
    return matplotlib.rc_context(
        {
            "font.size": 9,
            "text.color": _INK,
            "axes.edgecolor": _FAINT,
            "axes.labelcolor": _INK,
            "axes.linewidth": 0.6,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 9.5,
            "axes.titleweight": "bold",
            "axes.formatter.useoffset": False,
            "xtick.color": _FAINT,
            "ytick.color": _FAINT,
            "xtick.labelcolor": _INK,
            "ytick.labelcolor": _INK,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
            "figure.titlesize": 12,
            "figure.titleweight": "bold",
            "svg.hashsalt": "stillhouse",  # equal numbers, equal bytes
        }
    )


def save(figure: Figure, path: Path) -> list[Path]:
    """As PATH.svg and PATH.png."""
    paths = []
    for kind, options in (("svg", {"metadata": {"Date": None}}), ("png", {})):
        buffer, target = io.BytesIO(), path.with_name(f"{path.name}.{kind}")
        figure.savefig(buffer, format=kind, dpi=150, **options)
        write_atomically(target, buffer.getvalue())
        paths.append(target)
    return paths


def _figure(width: float, height: float, title: str, caption: str = "") -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    figure.suptitle(title, x=0.012, ha="left")
    if caption:
        figure.supxlabel(caption, x=0.012, ha="left", fontsize=8.5, color=_FAINT)
    return figure


def curves(rows: Sequence[Mapping[str, Any]], terms: Sequence[str], teacher: float, title: str) -> Figure:
    """What was measured after each epoch, beside the terms of the loss; rows are those of metrics.jsonl."""
    figure = _figure(9.5, 3.6, title, "Terms as they are added up, with their weights.")
    accuracies, losses = figure.subplots(1, 2)
    accuracies.set_title("Accuracy on held-out images, %")
    accuracies.axhline(teacher, color=TEACHER, linewidth=1.2, linestyle=(0, (4, 2)))
    measured = [("student", "top1", STUDENT), ("agreement\nwith teacher", "agreement", THIRD)]
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


def observations(rows: Sequence[Mapping[str, Any]], groups: Mapping[str, Sequence[str]], title: str, caption: str) -> Figure:
    """Groups of columns, a panel for each; those whose names differ in a number only have one scale."""
    across = min(3, len(groups))
    down = math.ceil(len(groups) / across)
    figure = _figure(1 + 3.3 * across, 0.9 + 2.2 * down, title, caption)
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


def _line(
    axes: Axes, rows: Sequence[Mapping[str, Any]], column: str, name: str, colour: str
) -> tuple[str, float, str]:
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


def _over_epochs(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """An axis of epochs; those of warm-up phases are shaded."""
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("epoch")
    axes.set_xlim(min(0.7, len(rows) / 2), len(rows) + 0.02 * len(rows))
    axes.grid(axis="y", color=_PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    for phase in dict.fromkeys(row["phase"] for row in rows):
        epochs = [row["epoch"] for row in rows if row["phase"] == phase]
        if phase != rows[-1]["phase"]:
            axes.axvspan(epochs[0] - 0.5, epochs[-1] + 0.5, color="#f3f3f3", linewidth=0)
            axes.text(epochs[0] - 0.4, 0.99, phase, transform=axes.get_xaxis_transform(), va="top", color=_FAINT, size=8)


def _keep_shares(axes: Axes, values: Sequence[float]) -> None:
    """Numbers between 0 and 1 have no axis that goes further."""
    if values and min(values) >= 0 and max(values) <= 1:
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, -0.02), min(high, 1.02))


def _label_ends(axes: Axes, ends: Sequence[tuple[str, float, str]]) -> None:
    """Names at the ends of curves, moved apart where they would overlap."""
    known = [(name, end, colour) for name, end, colour in ends if name and math.isfinite(end)]
    low, high = axes.transScale.transform([(1, limit) for limit in axes.get_ylim()])[:, 1]
    wanted = [(axes.transScale.transform((1, end))[1] - low) / (high - low) for _, end, _ in known]
    gaps = [0.075 * (1 + name.count("\n")) for name, _, _ in known]
    order = sorted(range(len(known)), key=lambda i: wanted[i])
    height = -math.inf
    for i in order:  # from below, each one above the one before
        wanted[i] = height = max(wanted[i], height + gaps[i])
    excess = max(0.0, height - 1.02)
    for i in reversed(order):  # and from above, those that were pushed out of the picture
        if excess <= 0:
            break
        wanted[i] -= excess
        below = [wanted[j] for j in order[: order.index(i)]]
        excess = max(0.0, below[-1] + gaps[i] - wanted[i]) if below else 0.0
    for (name, _, colour), y in zip(known, wanted, strict=True):
        axes.annotate(name, (1, y), (4, 0), xycoords="axes fraction", textcoords="offset points", va="center", color=colour)


def accuracies(student: Numbers, teacher: Numbers, names: Sequence[str], title: str) -> Figure:
    """(C,), (C,) percent: both networks class by class, from where the student loses most to where it gains most."""
    order, left_out = _ends(student - teacher)
    caption = f"The {len(order)} of {len(names)} classes where they differ most." if left_out else ""
    figure = _figure(7, 1.1 + 0.22 * len(order), title, caption)
    axes = figure.subplots()
    rows = np.arange(len(order))
    axes.hlines(rows, student[order], teacher[order], color="#c9c9c9", linewidth=2.2, zorder=1)
    axes.scatter(teacher[order], rows, s=30, facecolor="white", edgecolor=TEACHER, linewidth=1.4, zorder=2, label="teacher")
    axes.scatter(student[order], rows, s=30, color=STUDENT, zorder=3, label="student")
    axes.set_yticks(rows, [names[i] for i in order])
    axes.invert_yaxis()
    axes.set_xlabel("images of the class that are recognised, %")
    axes.grid(axis="x", color=_PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    figure.legend(loc="outside upper right", ncols=2, frameon=False, handletextpad=0.1)
    return figure


def _ends(values: Numbers) -> tuple[NDArray[np.intp], bool]:
    """Positions in ascending order, without those in the middle where they are too many; NaN is left out."""
    order = np.argsort(values)[: np.isfinite(values).sum()]
    if len(order) <= MOST_CLASSES:
        return order, False
    return np.concatenate([order[: MOST_CLASSES // 2], order[-MOST_CLASSES // 2 :]]), True


def shares(values: Numbers, classes: Sequence[str], names: Sequence[str], title: str, caption: str) -> Figure:
    """(C, K): a mean for each class in each of K columns, classes with the lowest first."""
    order, left_out = _ends(values.mean(1))
    more = f" The {len(order)} of {len(classes)} classes with the lowest and the highest means." if left_out else ""
    figure = _figure(2.6 + 0.85 * len(names), 1.5 + 0.24 * len(order), title, caption + more)
    _heat_map(figure, values[order], [classes[i] for i in order], names, _BLUES)
    return figure


def matrix(
    values: Numbers, rows: Sequence[str], columns: Sequence[str], title: str, caption: str, labels: tuple[str, str]
) -> Figure:
    """(R, C): shares of one are blue, anything else is red."""
    size = (2.3 + 0.62 * len(columns), 1.6 + 0.36 * len(rows)) if len(columns) <= 20 else (7.0, 6.6)
    figure = _figure(max(size[0], 5.2), size[1], title, caption)
    axes = _heat_map(figure, values, rows, columns, _BLUES if np.nanmax(values) <= 1.0001 else _REDS)
    axes.set_ylabel(labels[0])
    axes.set_xlabel(labels[1])
    return figure


def _heat_map(
    figure: Figure, values: Numbers, rows: Sequence[str], columns: Sequence[str], colours: LinearSegmentedColormap
) -> Axes:
    axes: Axes = figure.subplots()
    top = 1.0 if colours is _BLUES and np.nanmax(values) <= 1.0001 else float(np.nanmax(values)) or 1.0
    image = axes.imshow(values, cmap=colours, vmin=0, vmax=top, aspect="auto", interpolation="nearest")
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0)
    if values.shape[1] <= 20:
        axes.set_xticks(range(values.shape[1]), columns, rotation=0 if max(map(len, columns)) < 9 else 35)
        for (i, j), value in np.ndenumerate(values):
            colour = "white" if value > 0.55 * top else _INK
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", size=8, color=colour)
    else:
        figure.colorbar(image, ax=axes, shrink=0.7, aspect=30).outline.set_visible(False)
        axes.set_xticks([])
    axes.set_yticks(range(len(rows)), rows) if len(rows) <= MOST_CLASSES else axes.set_yticks([])
    return axes


def contact_sheet(
    series: Mapping[str, tuple[Numbers, NDArray[np.uint8]]], title: str, caption: str
) -> Figure:
    """By name, (2 M,) values from the lowest to the highest and their images, (2 M, H, W, 3)."""
    figure = _figure(10.5, 0.9 + 1.0 * len(series), title, caption)
    grid = figure.subplots(len(series), 2, squeeze=False)
    for row, (name, (values, images)) in zip(grid, series.items(), strict=True):
        half = len(values) // 2
        for axes, part, heading in zip(row, (slice(0, half), slice(half, None)), ("lowest", "highest"), strict=True):
            _strip(axes, values[part], images[part])
            if row is grid[0]:
                axes.set_title(heading)
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    return figure


def _strip(axes: Axes, values: Numbers, images: NDArray[np.uint8]) -> None:
    """Images side by side, with their values below."""
    count, height, width = images.shape[:3]
    step = width + max(2, width // 10)
    strip = np.full((height, count * step, 3), 255, dtype=np.uint8)
    for i, image in enumerate(images):
        strip[:, i * step : i * step + width] = image
    axes.imshow(strip, interpolation="nearest")
    axes.set_xticks([i * step + width / 2 for i in range(count)], [f"{value:.2f}" for value in values], size=7.5)
    axes.set_yticks([])
    axes.tick_params(length=0, pad=1)
    for side in axes.spines.values():
        side.set_visible(False)


def embeddings(
    points: Mapping[str, Numbers], labels: NDArray[np.int64], names: Mapping[int, str], title: str, caption: str
) -> Figure:
    """By network, (N, 2) points; their classes are named where they lie."""
    figure = _figure(5.0 * len(points), 5.4, title, caption)
    for axes, (who, places) in zip(figure.subplots(1, len(points), squeeze=False)[0], points.items(), strict=True):
        axes.set_title(who)
        for number, (label, name) in enumerate(names.items()):
            mine, colour = places[labels == label], CATEGORIES[number % 10]
            axes.scatter(*mine.T, s=9, color=colour, alpha=0.75, linewidth=0, rasterized=True)
            if len(mine):
                text = axes.text(*np.median(mine, axis=0), name, ha="center", va="center", weight="bold", color=colour)
                text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_aspect("equal", adjustable="datalim")
        for side in axes.spines.values():
            side.set_color(_PALE)
            side.set_visible(True)
    return figure

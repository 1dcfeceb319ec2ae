"""The picture of a choice: latency against validation accuracy, with intervals, at every rung."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..analysis.plots import CATEGORIES, FAINT, INK, MARKERS, PALE, TWO, canvas, percent_axis
from ..export.latency import Latency
from ..spelling import counted, shortened
from .candidates import Candidate
from .fast_enough import Limit

_MOST_PANELS = 4
_LONGEST = 20  # letters of a student's name
_NEAR = 1.6  # a limit below so many times the slowest latency is drawn
_GAP = 0.075  # between the names of students, of the width of a panel's axis


def pictures(
    found: Sequence[Candidate], choice: Candidate | None, limit: Limit, slow: Mapping[str, Latency], named: str
) -> Iterator[tuple[str, Figure]]:
    """Yield the picture with the name of its file, if anything was trained; drawn when asked for, in the style set."""
    if any(one.top1 for one in found):
        yield "pareto", pareto(found, choice, limit, slow, named)


def pareto(
    found: Sequence[Candidate], choice: Candidate | None, limit: Limit, slow: Mapping[str, Latency], named: str
) -> Figure:
    """Draw a panel for each number of epochs at which candidates were compared, with those that were trained as far.

    Args:
        slow: Latencies of the students that were left out.
        named: The teacher and the data.
    """
    ends = sorted({end for one in found for end in one.top1})
    ends = [*ends[: _MOST_PANELS - 1], ends[-1]] if len(ends) > _MOST_PANELS else ends
    methods = list(dict.fromkeys(one.methods for one in found))
    caption = (
        f"{named}. Latency: p95 of {limit}, eager PyTorch. Bars: 95 % intervals (Wilson) over "
        f"{found[0].images:,} validation images; the line joins those that no other one beats in both. "
        "Compare within a panel only: all points of one are trained equally long."
    )
    if limit.milliseconds is not None:
        caption += f" Limit: {limit.milliseconds:g} ms (dashed where it is near)."
    if choice is not None:
        caption += f" Ring: chosen ({choice.name})."
    if slow:
        caption += f" Too slow: {', '.join(f'{name} ({one.p95:.3g} ms)' for name, one in slow.items())}."
    figure = canvas(TWO, 3.3, "Accuracy against latency", caption)
    panels = figure.subplots(1, len(ends), squeeze=False)[0]
    for axes, end in zip(panels, ends, strict=True):
        _panel(axes, [one for one in found if end in one.top1], end, methods, choice, limit)
    panels[0].set_ylabel("top-1 on the validation images (%)")
    handles = [
        panels[0].plot([], [], marker=_marker(i), color=_colour(i), linestyle="", markersize=4.5, label=name)[0]
        for i, name in enumerate(methods)
    ]
    figure.legend(handles=handles, loc="outside upper right", frameon=False, ncols=4)
    return figure


def front(found: Sequence[Candidate], end: int) -> list[Candidate]:
    """Return the candidates that no other one beats in both latency and accuracy, the fastest first."""
    kept: list[Candidate] = []
    for one in sorted(found, key=lambda one: (one.latency.p95, -one.top1[end])):
        if not kept or one.top1[end] > kept[-1].top1[end]:
            kept.append(one)
    return kept


def _panel(
    axes: Axes, found: Sequence[Candidate], end: int, methods: Sequence[str], choice: Candidate | None, limit: Limit
) -> None:
    most = max(one.latency.p95 for one in found)
    if is_near := limit.milliseconds is not None and limit.milliseconds < _NEAR * most:
        most = max(most, limit.milliseconds or 0.0)
    axes.set_xlim(0, 1.08 * most)
    shift = 0.012 * most  # side by side, for candidates of one student have one latency
    best = front(found, end)
    axes.step([one.latency.p95 for one in best], [one.top1[end] for one in best], where="post", color=FAINT,
              linewidth=0.8, zorder=1)  # fmt: skip
    drawn: list[float] = []
    for one in found:
        place, (low, high) = methods.index(one.methods), one.interval(end)
        x = one.latency.p95 + shift * (place - (len(methods) - 1) / 2)
        axes.vlines(x, low, high, color=_colour(place), linewidth=0.8)
        axes.plot(x, one.top1[end], marker=_marker(place), color=_colour(place), markersize=4, linestyle="", zorder=3)
        if one is choice:
            axes.plot(x, one.top1[end], marker="o", color=INK, markersize=9, fillstyle="none", linestyle="", zorder=4)
        drawn += [low, high]
    if is_near and limit.milliseconds is not None:
        axes.axvline(limit.milliseconds, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    percent_axis(axes, np.array(drawn))
    axes.set_xlabel("latency (ms)")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="y", color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    _name_students(axes, found)
    going = counted(len(found), "candidate")
    axes.set_title(f"after {counted(end, 'epoch')}: {going}", pad=4)


def _name_students(axes: Axes, found: Sequence[Candidate]) -> None:
    """Write each student's name upright along the bottom, pushed apart, and make room for that."""
    (low, high), ticks = axes.get_ylim(), axes.get_yticks()
    letters = min(_LONGEST, max(len(one.student) for one in found))
    axes.set_ylim(low - (high - low) * (0.04 + 0.025 * letters), high)  # below all points
    axes.set_yticks([tick for tick in ticks if low <= tick <= high])
    places = {one.student: one.latency.p95 / axes.get_xlim()[1] for one in found}
    position = -1.0
    for name, place in sorted(places.items(), key=lambda item: item[1]):
        position = max(place, position + _GAP)
        axes.annotate(shortened(name, _LONGEST), (place, 0.0), (position, 0.02), "axes fraction",
                      rotation=90, ha="center", va="bottom", color=FAINT, fontsize=6.5, zorder=0)  # fmt: skip


def _colour(place: int) -> str:
    return CATEGORIES[place % len(CATEGORIES)]


def _marker(place: int) -> str:
    return MARKERS[place % len(MARKERS)]

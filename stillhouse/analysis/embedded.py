"""Embeddings of two networks in the plane, with names that do not cover each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from .plots import CATEGORIES, FAINT, MARKERS, PALE, TWO, Numbers, canvas, dark

# Steps away from a place, the nearest first, (S, 2); names are wide, so steps to the side are.
_SPIRAL = np.array(
    [
        (2 * ring * np.cos(turn), ring * np.sin(turn))
        for ring in range(40)
        for turn in np.linspace(0, 2 * np.pi, max(1, 8 * ring), endpoint=False)
    ]
)


_DOT = 4.5  # points: the dot of a class, before its name


class _Middle(NamedTuple):
    """The middle of a class's points, where its name is written."""

    name: str
    place: Numbers
    colour: str
    marker: str


def embeddings(
    points: Mapping[str, Numbers], labels: NDArray[np.int64], names: Mapping[int, str], title: str, caption: str
) -> Figure:
    """Draw (N, 2) points of each network; the name of each class is near the middle of its points."""
    figure = canvas(TWO, 3.6, title, caption)
    renderer = FigureCanvasAgg(figure)
    middles: list[tuple[Axes, list[_Middle]]] = []
    for axes, (who, places) in zip(figure.subplots(1, len(points), squeeze=False)[0], points.items(), strict=True):
        axes.set_title(who)
        found: list[_Middle] = []
        for number, (label, name) in enumerate(names.items()):
            mine, colour, marker = places[labels == label], CATEGORIES[number % 10], MARKERS[number % 10]
            axes.scatter(*mine.T, s=7, color=colour, marker=marker, alpha=0.8, linewidth=0)
            if len(mine):
                found.append(_Middle(name, np.median(mine, axis=0), colour, marker))
        axes.set_xticks([])
        axes.set_yticks([])
        axes.margins(0.08)
        axes.spines[:].set_visible(True)
        axes.spines[:].set_color(PALE)
        middles.append((axes, found))
    figure.draw_without_rendering()  # places of names depend on the layout
    figure.set_layout_engine("none")
    for axes, found in middles:
        _name(axes, found, renderer)
    return figure


def _name(axes: Axes, middles: Sequence[_Middle], canvas: FigureCanvasAgg) -> None:
    """Write names with their dots at their places, or as near as they fit, with a line; the middle ones come first."""
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call] # in matplotlib
    frame, taken = axes.get_window_extent(), list[Numbers]()
    wanted = [(one, axes.transData.transform(one.place)) for one in middles]
    centre = np.mean([place for _, place in wanted], axis=0) if wanted else np.zeros(2)
    dot = renderer.points_to_pixels(_DOT)
    for one, aim in sorted(wanted, key=lambda item: float(np.hypot(*(item[1] - centre)))):
        text = axes.text(0, 0, one.name, ha="center", va="center", weight="bold", color=dark(one.colour), zorder=5)
        text.set_in_layout(False)
        text.set_path_effects([withStroke(linewidth=2, foreground="white")])
        text.set_transform(None)
        size = text.get_window_extent(renderer)
        width, height = size.width + 4 + 3 * dot, size.height + 2
        place = _free(aim, width, height, frame, taken)
        taken.append(np.array([*place, width, height]))
        inside = axes.transData.inverted().transform
        text.set_transform(axes.transData)
        text.set_position(tuple(inside(place)))
        beside = inside(place - (size.width / 2 + 0.8 * dot, 0))
        axes.plot(*beside, one.marker, color=one.colour, markersize=_DOT, markeredgecolor="white", markeredgewidth=0.5,
                  zorder=5, scalex=False, scaley=False)  # fmt: skip
        if np.hypot(*(place - aim)) > size.height:
            ends = np.stack([inside(aim), inside(place)])
            axes.plot(*ends.T, color=FAINT, linewidth=0.6, zorder=4, scalex=False, scaley=False)


def _free(wanted: Numbers, width: float, height: float, frame: Bbox, taken: Sequence[Numbers]) -> Numbers:
    """Return the place nearest to a wanted one, in pixels, where a box is in the frame and covers no other.

    Args:
        taken: Middle and size of each other box, (4,).
    """
    half = np.array([width, height]) / 2
    low, high = frame.min + half, np.maximum(frame.max - half, frame.min + half)
    places = np.clip(wanted + height / 2 * _SPIRAL, low, high)
    others = np.reshape(taken, (-1, 4))
    away = np.abs(places[:, None] - others[:, :2])
    is_free = np.all(np.any(away >= half + others[:, 2:] / 2, axis=2), axis=1)
    best: Numbers = places[int(np.argmax(is_free))]  # the first, which is the wanted one, if there is none
    return best

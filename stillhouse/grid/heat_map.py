"""The heat map of a grid: validation top-1 by the two settings that matter most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from ..analysis.matrices import matrix
from .axes import Axis, Span, shown
from .scores import Scored

_MOST = 40  # values of an axis in one picture
_SPAN = 5.0  # points between the palest and the darkest colour, at least: smaller differences are noise


def pictures(
    found: Sequence[Scored], axes: Sequence[Axis], choice: Scored | None, named: str
) -> Iterator[tuple[str, Figure]]:
    """Yield the heat map with the name of its file, if there is one; drawn when asked for, in the style then set."""
    figure = heat_map(found, axes, choice, named)
    if figure is not None:
        yield "heat_map", figure


def heat_map(found: Sequence[Scored], axes: Sequence[Axis], choice: Scored | None, named: str) -> Figure | None:
    """Draw the mean validation top-1 as colours; None where fewer than two axes have values to compare.

    Of more than two axes the two that matter most are drawn, and of each field the best cell.

    Args:
        named: The student, the teacher and the data.
    """
    lists = [axis for axis in axes if not isinstance(axis.points, Span)]
    drawable = [axis for axis in lists if 2 <= len(_points(found, axis)) <= _MOST]
    if len(drawable) < 2 or not any(one.is_complete for one in found):
        return None
    two = sorted(drawable, key=lambda axis: -spread(found, axis))[:2]
    rows, columns = (axis for axis in drawable if axis in two)
    row_points, column_points = _points(found, rows), _points(found, columns)
    values = np.full((len(row_points), len(column_points)), np.nan)
    for one in found:
        if one.is_complete:
            place = row_points.index(rows.point(one.settings)), column_points.index(columns.point(one.settings))
            values[place] = np.fmax(values[place], one.mean)
    frame = None
    if choice is not None:
        frame = (
            row_points.index(rows.point(choice.settings)),
            column_points.index(columns.point(choice.settings)),
        )
    seeds = len(found[0].seeds)
    caption = f"{named}. {'One seed' if seeds == 1 else f'Mean of {seeds} seeds'}; framed: chosen."
    others = [axis.name for axis in axes if axis not in two]
    if others:
        caption += f" Each field is the best over {', '.join(others)}; these two matter most."
    low, top = float(np.nanmin(values)), float(np.nanmax(values))
    return matrix(
        values,
        [_label(point) for point in row_points],
        [_label(point) for point in column_points],
        "Top-1 on the validation images, %",
        caption,
        (rows.name, columns.name),
        low=min(low, top - _SPAN),
        framed=frame,
    )


def spread(found: Sequence[Scored], axis: Axis) -> float:
    """Return by how much an axis matters: the difference between the bests of its best and its worst value."""
    bests: dict[str, float] = {}
    for one in found:
        if one.is_complete:
            point = repr(axis.point(one.settings))
            bests[point] = max(bests.get(point, one.mean), one.mean)
    return max(bests.values()) - min(bests.values()) if bests else 0.0


def _points(found: Sequence[Scored], axis: Axis) -> list[tuple[object, ...]]:
    """Return the values of an axis, in the order in which they come."""
    points: list[tuple[object, ...]] = []
    for one in found:
        if axis.point(one.settings) not in points:
            points.append(axis.point(one.settings))
    return points


def _label(point: Sequence[object]) -> str:
    return "/".join(map(shown, point))

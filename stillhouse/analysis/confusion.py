"""The classes on which a student is worst, and what it takes their images for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ..spelling import shortened
from ..training.predictions import Predictions
from .fonts import columns_of
from .plots import INK, LIGHT_BLUES, SMALL, TWO, Numbers, canvas

WORST = 20  # classes that are shown
_LONGEST = 24  # letters of a name
_COMPLETE = 10  # classes of which the whole matrix is shown
_TAKEN_FOR = 6  # columns of the classes that images are most often taken for


def confusion(networks: Mapping[str, Predictions], names: Sequence[str], caption: str) -> Figure:
    """Draw the guesses of networks for the worst classes of the student, beside each other.

    Up to 10 classes have the whole matrix. Of more, the 20 on which the student is right least often have a row each,
    and the classes that their images are most often taken for a column each.

    Args:
        networks: The student among them, by name.
    """
    tables = {who: counted(one, len(names)) for who, one in networks.items()}
    own = tables["student"]
    counts = own.sum(1)
    some = np.flatnonzero(counts)
    right = np.diag(own)[some] / counts[some]
    is_complete = len(names) <= _COMPLETE
    if is_complete:
        rows, columns, heads = some.tolist(), list(range(len(names))), list(names)
        title = "Confusion: classes, and what their images are taken for"
    else:
        others = [np.diag(tables[who])[some] / counts[some] for who in ("baseline", "teacher") if who in tables]
        order = np.lexsort([*(-share for share in others), right])  # of equally bad ones those that others know
        rows = some[order[:WORST]].tolist()
        equal = int((right[order[WORST:]] == right[order[:WORST]].max()).sum())
        known = "; shown: those that the teacher knows best" if "teacher" in tables else ""
        caption += f" {equal} more classes are as bad as the last of them{known}." if equal else ""
        wrong = own[rows].copy()
        wrong[np.arange(len(rows)), rows] = 0
        columns = [int(i) for i in np.argsort(-wrong.sum(0), kind="stable")[:_TAKEN_FOR] if wrong[:, i].any()]
        heads = ["the class itself", *(names[i] for i in columns), "all others"]
        title = f"Confusion: the student's worst {len(rows)} classes, and what their images are taken for"
        caption += " The columns are the classes that the student takes their images for most often."
    shares = {
        who: 100 * (table[rows] if is_complete else _folded(table[rows], rows, columns)) / counts[rows, None]
        for who, table in tables.items()
    }
    same = len(set(counts[rows].tolist())) == 1
    caption += (
        f" Percent of the {f'{int(counts[rows[0]]):,} ' * same}test images of a class; less than 0.5 is left empty."
    )
    labels = [shortened(names[i], _LONGEST) + ("" if same else f"  (n = {int(counts[i]):,})") for i in rows]
    return _panels(shares, labels, heads, [] if is_complete else rows, columns, title, caption)


def counted(one: Predictions, classes: int) -> Numbers:
    """Return the number of images by class and by guess, (C, C)."""
    places = one.labels.long() * classes + one.guesses.long()
    return places.bincount(minlength=classes * classes).view(classes, classes).double().numpy()


def _folded(table: Numbers, rows: Sequence[int], columns: Sequence[int]) -> Numbers:
    """(R, C) -> (R, K + 2): the class itself, the classes of K columns, all others; NaN where a column is the class."""
    own = table[np.arange(len(rows)), rows]
    picked = table[:, columns]
    is_own = np.asarray(rows)[:, None] == np.asarray(columns)[None, :]
    others = table.sum(1) - own - np.where(is_own, 0, picked).sum(1)
    return np.column_stack([own, np.where(is_own, np.nan, picked), others])


def _panels(
    shares: Mapping[str, Numbers],
    labels: Sequence[str],
    heads: Sequence[str],
    rows: Sequence[int],
    columns: Sequence[int],
    title: str,
    caption: str,
) -> Figure:
    heads = [shortened(name, _LONGEST) for name in heads]
    above = 0.062 * max(map(columns_of, heads))
    figure = canvas(TWO, 0.85 + above + 0.165 * max(5, len(labels)), title, caption)
    grid = figure.subplots(1, len(shares), sharey=True, squeeze=False)[0]
    for axes, (who, values) in zip(grid, shares.items(), strict=True):
        image = axes.imshow(values, cmap=LIGHT_BLUES, vmin=0, vmax=100, aspect="auto", interpolation="nearest")
        axes.set_title(who)
        axes.set_xticks(range(len(heads)), heads, rotation=90)
        axes.set_xlabel("guess")
        axes.set_yticks(range(len(labels)), labels)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        if len(rows):
            for edge in (0.5, len(heads) - 1.5):
                axes.axvline(edge, color="white", linewidth=2)
        for (i, j), value in np.ndenumerate(values):
            if np.isfinite(value) and value >= 0.5:  # a zero in every field hides the others
                axes.text(j, i, f"{value:.0f}", ha="center", va="center", size=SMALL, color=INK)
    grid[0].set_ylabel("class of the images")
    bar = figure.colorbar(image, ax=list(grid), aspect=40, shrink=0.8, pad=0.01)
    bar.set_label("% of the images")
    bar.outline.set_visible(False)
    return figure

"""Tables of an evaluation: in full for programs, rounded for people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..analysis.confusion import counted
from ..analysis.findings_tables import Table
from ..report.intervals import of_share
from .corruptions import CORRUPTIONS, STRENGTHS
from .flips import by_class
from .measured import Measured, by_role, changes
from .mistakes import Mistake
from .robustness import Robustness

Cell = str | float


def accuracy(networks: Sequence[Measured]) -> Table:
    """Return accuracy with its 95 % interval (Wilson), a row for each network."""
    headings = ("network", "name", "top-1 %", "low", "high", "top-5 %", "cross-entropy", "images")
    rows: list[Sequence[Cell]] = []
    for one in networks:
        count = len(one.scores.labels)
        low, high = of_share(one.right, count)
        numbers = (100 * one.right / count, low, high, one.scores.top5, one.scores.loss)
        rows.append((one.role, one.network.short, *numbers, str(count)))
    return Table(headings, rows)


def differences(networks: Sequence[Measured]) -> Table:
    """Return the student's accuracy minus that of each other network, and its flips, a row for each."""
    headings = ("student minus", "points", "low", "high", "positive flips", "negative flips", "negative flips %",
                "rate low", "rate high", "images")  # fmt: skip
    rows = [
        (
            *(role, one.change.points, one.change.low, one.change.high, str(one.positive), str(one.negative)),
            *(one.negative_rate, *one.negative_interval, str(one.images)),
        )
        for role, one in changes(networks).items()
    ]
    return Table(headings, rows)


def calibration(networks: Sequence[Measured]) -> Table:
    """Return calibration before and after temperature scaling, a row for each network."""
    headings = ("network", "ECE %", "ECE % after", "cross-entropy", "cross-entropy after", "temperature of half 1",
                "temperature of half 2")  # fmt: skip
    rows = [
        (one.role, found.before.error, found.after.error, found.before.loss, found.after.loss, *found.temperatures)
        for one in networks
        if (found := one.calibration) is not None
    ]
    return Table(headings, rows)


def classes(networks: Sequence[Measured], names: Sequence[str]) -> Table:
    """Return the accuracy by class with its 95 % interval, from the student's worst class to its best.

    Classes without images are left out.
    """
    labels = networks[0].scores.labels
    counts = labels.bincount(minlength=len(names)).tolist()
    headings = ["class", "images"]
    columns: list[list[tuple[float, ...]]] = []
    for one in networks:
        right = labels[one.predictions.correct].bincount(minlength=len(names)).tolist()
        columns.append([(100 * r / n, *of_share(r, n)) if n else () for r, n in zip(right, counts, strict=True)])
        headings += [f"{one.role} %", f"{one.role} low", f"{one.role} high"]
    order = sorted((i for i, count in enumerate(counts) if count), key=lambda i: columns[0][i][0])
    rows: list[Sequence[Cell]] = [
        (names[i], str(counts[i]), *(cell for column in columns for cell in column[i])) for i in order
    ]
    return Table(headings, rows)


def confusions(networks: Sequence[Measured], names: Sequence[str]) -> Table:
    """Return how many images of a class are taken for which, the student's most frequent mistakes first.

    Pairs that no network guesses are left out. Where class and guess are equal, the guesses are right.
    """
    networks = [one for one in networks if one.role in by_role(networks)]
    tables = {one.role: counted(one.predictions, len(names)) for one in networks}
    total = sum(tables.values())
    own = np.eye(len(names), dtype=bool)
    pairs = sorted(np.argwhere(total > 0).tolist(), key=lambda at: (own[tuple(at)], -tables["student"][tuple(at)]))
    rows = [(names[i], names[j], *(str(int(table[i, j])) for table in tables.values())) for i, j in pairs]
    return Table(("class", "guess", *tables), rows)


def flips_by_class(networks: Sequence[Measured], names: Sequence[str], role: str) -> Table:
    """Return the flips from another network to the student by class, from the largest loss to the largest gain."""
    (other,) = (one for one in networks if one.role == role)
    student = networks[0].predictions
    found = by_class(student.correct, other.predictions.correct, networks[0].scores.labels, len(names))
    known = [(name, one) for name, one in zip(names, found, strict=True) if one is not None]
    headings = ("class", "images", "change in points", "low", "high", "positive flips", "negative flips", "both right")
    rows = [
        (
            *(name, str(one.images), one.change.points, one.change.low, one.change.high),
            *(str(one.positive), str(one.negative), str(one.both)),
        )
        for name, one in sorted(known, key=lambda pair: pair[1].change.points)
    ]
    return Table(headings, rows)


def robust(found: Robustness) -> Table:
    """Return the accuracy at each strength of each corruption in percent, and its mean relative to clean images."""
    headings = ("network", "corruption", "parameter", *(f"strength {i + 1}" for i in range(STRENGTHS)), "mean")
    rows: list[Sequence[Cell]] = []
    for role, right in found.right.items():
        rows.append((role, "none", "", *[100 * found.clean[role] / found.images] * (STRENGTHS + 1)))
        for corruption in CORRUPTIONS:
            shares = [100 * count / found.images for count in right[corruption.name]]
            values = " ".join(f"{value:.3g}" for value in corruption.parameters(found.size))
            rows.append((role, corruption.name, f"{corruption.unit} {values}", *shares, sum(shares) / STRENGTHS))
    return Table(headings, rows)


def kept(found: Robustness) -> Table:
    """Return how much of their accuracy on clean images networks keep, with intervals for the clean images."""
    headings = ("network", "clean %", "low", "high", "mean corrupted %", "% of clean", "images")
    rows: list[Sequence[Cell]] = []
    for role, clean in found.clean.items():
        counts = [count for one in found.right[role].values() for count in one]
        mean, relative = 100 * sum(counts) / len(counts) / found.images, found.relative(role)
        shares = (100 * clean / found.images, *of_share(clean, found.images), mean)
        rows.append((role, *shares, "" if relative is None else relative, str(found.images)))
    return Table(headings, rows)


def mistakes(found: Sequence[Mistake], names: Sequence[str], others: Sequence[str]) -> Table:
    """Return wrong guesses with their images: the place among the held-out ones, and the file where there is one."""
    headings = ("image", "file", "class", "guess", "confidence %", *(f"{role} is right" for role in others))
    rows = [
        (
            *(str(one.index), one.file or "", names[one.label], names[one.guess], one.confidence),
            *("yes" if one.others[role] else "no" for role in others),
        )
        for one in found
    ]
    return Table(headings, rows)

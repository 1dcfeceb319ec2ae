"""Tables of what was measured of a finished distillation."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .baseline import Baseline
from .measure import Findings
from .metrics import (
    accuracy_by_class,
    calibration_error,
    divergence,
    error_of_confidence,
    logit_difference,
    mean_by_class,
)
from .tables import Fitting

_LISTED = 20  # at most, rows on the terminal


@dataclass(frozen=True)
class Table:
    """A table of numbers: in full for programs, rounded for people."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str | float]]

    def csv(self) -> str:
        """Return it in full; bytes of file names that are not UTF-8 are escaped, so that it can be written."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.headings, *self.rows])
        return text.getvalue().encode("utf-8", "backslashreplace").decode()

    def printed(self, columns: int) -> Fitting:
        """Return the first columns for a terminal; a narrow one leaves out the last of them."""
        headings = self.headings[:columns]
        cells = [[cell if isinstance(cell, str) else f"{cell:.2f}" for cell in row[:columns]] for row in self.rows]
        if len(cells) > _LISTED:  # both ends, for rows have an order
            more = len(cells) - _LISTED
            cells[_LISTED // 2 : -_LISTED // 2] = [[f"... {more} more ...", *[""] * (len(headings) - 1)]]
        return Fitting(headings, cells, headings[2:])


def summarised(findings: Findings, baseline: Baseline | None = None) -> Table:
    """Return a table of measurements of both networks, and of the baseline as far as they are known."""
    s, t = findings.student, findings.teacher
    classes = s.logits.shape[1]
    off_diagonal = ~torch.eye(classes, dtype=torch.bool)
    rows: list[tuple[str, float | str, float]] = [
        ("top-1 %", t.top1, s.top1),
        ("top-5 %", t.top5, s.top5),
        ("cross-entropy", t.loss, s.loss),
        ("calibration error %", calibration_error(t), calibration_error(s)),
        ("agreement %", "", s.agreement(t)),
        ("KL(teacher || student)", "", divergence(s, t)),
        ("mean logits by class, difference", "", logit_difference(s, t, classes)[off_diagonal].nanmean().item()),
    ]
    if findings.aligned is not None:
        places = f"{findings.aligned.teacher[-1]}, {findings.aligned.student[-1]}"
        rows.append((f"CKA of {places}", "", findings.aligned.values[-1, -1].item()))
    headings = ("measured on test images", "teacher", "student")
    if baseline is None or baseline.predictions is None:
        return Table(headings, rows)
    alone = baseline.predictions
    known = {
        "top-1 %": 100 * alone.correct.double().mean().item(),
        "calibration error %": error_of_confidence(alone.confidence, alone.correct),
        "agreement %": 100 * (alone.guesses == t.logits.argmax(1)).double().mean().item(),
    }
    return Table((*headings, "baseline"), [(*row, known.get(row[0], "")) for row in rows])


def by_classes(findings: Findings, names: Sequence[str], baseline: Baseline | None = None) -> Table:
    """Return numbers by class, including methods', from the student's largest loss to its largest gain.

    Gains are over the baseline if its guesses are known, else over the teacher.
    """
    s, t = (accuracy_by_class(scores, len(names)) for scores in (findings.student, findings.teacher))
    labels = findings.student.labels
    judged = {name: mean_by_class(one.values, labels, len(names)) for name, one in findings.judged.items()}
    counts = labels.bincount(minlength=len(names))
    headings, columns, gain = ["teacher %", "student %", "gain"], [t, s, s - t], s - t
    if baseline is not None and baseline.predictions is not None:
        alone = 100 * mean_by_class(baseline.predictions.correct, labels, len(names))
        gain = s - alone
        headings += ["baseline %", "over baseline"]
        columns += [alone, gain]
    order = [i for i in gain.argsort(stable=True).tolist() if counts[i]]
    rows = [(names[i], str(int(counts[i])), *(one[i].item() for one in (*columns, *judged.values()))) for i in order]
    return Table(("class", "images", *headings, *judged), rows)

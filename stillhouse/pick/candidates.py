"""Candidates of a choice: a student and what it learns by, with their latency and validation top-1 at every rung."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from ..analysis.tables import Fitting, percent
from ..export.latency import Latency
from ..grid.axes import METHODS, STUDENT
from ..grid.scores import Scored
from ..report.intervals import of_share
from ..spelling import counted


@dataclass(frozen=True)
class Candidate:
    """A student with the methods that it learns by.

    Args:
        latency: On this machine.
        found: What became of it.
        images: Number of validation images.
        top1: Mean top-1 over the seeds on the validation images, in percent, by the number of epochs at which
            candidates were compared, as far as it was trained.
    """

    student: str
    methods: str
    latency: Latency
    found: Scored
    images: int
    top1: Mapping[int, float]

    @property
    def name(self) -> str:
        return f"{self.student}, {self.methods}"

    @property
    def last(self) -> int:
        """Number of epochs at which it was last compared."""
        return max(self.top1, default=0)

    def interval(self, epochs: int) -> tuple[float, float]:
        """Return Wilson's 95 % interval of its top-1 after so many epochs, for other images of the same kind."""
        return of_share(round(self.top1[epochs] * self.images / 100), self.images)

    def is_within(self, other: Candidate, epochs: int) -> bool:
        """Return True if its top-1 after so many epochs lies in the interval of another one's."""
        return self.top1[epochs] >= other.interval(epochs)[0]


def candidates(
    found: Sequence[Scored], latencies: Mapping[str, Latency], ends: Sequence[int], images: int
) -> list[Candidate]:
    """Return the candidates with what is known of them.

    Args:
        ends: Numbers of epochs at which they were compared, the last of which is the end.
        images: Number of validation images.
    """
    result = []
    for one in found:
        student, methods = str(one.settings[STUDENT]), str(one.settings[METHODS])
        runs = [run.rows() for run in one.runs.values()]
        rows = [[row for row in found if row["phase"] == "distillation"] for found in runs]
        before = len(runs[0]) - len(rows[0]) if runs else 0  # epochs of other phases
        last = one.stop.epochs - before if one.stop else ends[-1] if one.is_complete else 0
        top1 = {end: fmean(float(each[end - 1]["top1"]) for each in rows) for end in ends if end <= last}
        result.append(Candidate(student, methods, latencies[student], one, images, top1))
    return result


def ranked(found: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that were trained to the end, the best first; of equal ones the faster."""
    complete = [one for one in found if one.found.is_complete]
    return sorted(complete, key=lambda one: (-one.top1[one.last], one.latency.p95))


def table(found: Sequence[Candidate], ends: Sequence[int], choice: Candidate | None) -> Fitting:
    """Return the table: latency, validation top-1 at each rung, and what became of each candidate."""
    headings = [f"after {end}" for end in ends]
    rows = [
        [
            one.student,
            one.methods,
            f"{one.latency.p95:.3g}",
            *(percent(one.top1.get(end)) for end in ends),
            _remark(one, choice),
        ]
        for one in sorted(found, key=lambda one: (-one.last, -one.top1.get(one.last, 0.0)))
    ]
    title = f"top-1 % on the validation images, after so many of {counted(ends[-1], 'epoch')}"
    return Fitting(["student", "methods", "p95 ms", *headings, ""], rows, headings[:-1][::-1], title, names=2)


def _remark(one: Candidate, choice: Candidate | None) -> str:
    if one is choice:
        return "chosen"
    return "stopped" if one.found.stop else "" if one.found.is_complete else "failed"


def csv_of(found: Sequence[Candidate], ends: Sequence[int], choice: Candidate | None) -> bytes:
    """Return the table as a file: a line for each candidate and number of epochs, with 95 % intervals."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = ["epochs", "validation_top1", "low", "high", "images", "state", "runs"]
    writer.writerow(["student", "methods", "latency_p50_ms", "latency_p95_ms", *names])
    for one in found:
        about = [one.student, one.methods, round(one.latency.p50, 4), round(one.latency.p95, 4)]
        runs = " ".join(run.folder.name for run in one.found.runs.values())
        state = _remark(one, choice) or "trained to the end"
        for end in [end for end in ends if end in one.top1] or [0]:
            numbers = [round(one.top1[end], 4), *(round(value, 4) for value in one.interval(end))] if end else [""] * 3
            writer.writerow([*about, end, *numbers, one.images, state, runs])
    return text.getvalue().encode()

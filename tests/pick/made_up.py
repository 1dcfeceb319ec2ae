"""Candidates that were never trained."""

from __future__ import annotations

from pathlib import Path

from stillhouse.export.latency import Latency
from stillhouse.grid.halving import Stop
from stillhouse.grid.scores import Scored
from stillhouse.pick.candidates import Candidate, candidates
from stillhouse.training.run_folder import Run

LATENCIES = {"slow": Latency(4.0, 5.0, 100), "fast": Latency(1.0, 2.0, 100)}
ENDS = (3, 9)


class Measured(Run):
    """A run with the top-1 of each of its epochs, after a phase of another kind."""

    def __init__(self, top1: list[float], phases: int = 0):
        super().__init__(Path("runs"), f"{top1}"[:40], {})
        self._rows: list[dict[str, object]] = [{"phase": "hints", "top1": 99.0}] * phases
        self._rows += [{"phase": "distillation", "top1": value} for value in top1]

    @property
    def is_done(self) -> bool:
        return True

    def rows(self) -> list[dict[str, object]]:
        return self._rows

    @property
    def result(self) -> dict[str, object]:
        raise AssertionError("the test images are looked at")


def scored(student: str, methods: str, *top1: list[float], stopped: int | None = None, phases: int = 0) -> Scored:
    runs = {seed: Measured(values, phases) for seed, values in enumerate(top1)}
    stop = None if stopped is None else Stop(stopped + phases, {})
    return Scored({"student": student, "methods": methods}, runs, range(max(1, len(top1))), stop)


def made_up(*found: Scored, images: int = 1000) -> list[Candidate]:
    return candidates(found, LATENCIES, ENDS, images)


def to(first: float, last: float) -> list[float]:
    """Return nine epochs: the third has the first value, the ninth the last."""
    return [0.0, 0.0, first, 0.0, 0.0, 0.0, 0.0, 0.0, last]

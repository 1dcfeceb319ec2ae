"""The latency of each student on this machine, and which of them are fast enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch

from ..analysis.tables import Fitting
from ..export.latency import Latency
from ..models.spec import NetworkSource
from ..plan.speed import speeds
from ..spelling import counted

_ROUNDS = 3  # among all students; of each student the least disturbed one counts
_SECONDS, _LEAST = 0.4, 30  # of measuring a student in a round, calls


@dataclass(frozen=True)
class Limit:
    """The latency that a student may have, and where.

    Args:
        milliseconds: Of the 95th percentile, for the whole batch; None for no limit.
        images: Number of images at once.
        threads: CPU threads.
        device: Device that it is to run on.
    """

    milliseconds: float | None
    images: int
    threads: int
    device: torch.device

    def allows(self, latency: Latency) -> bool:
        return self.milliseconds is None or latency.p95 <= self.milliseconds

    def __str__(self) -> str:
        where = "on the GPU" if self.device.type == "cuda" else f"with {counted(self.threads, 'CPU thread')}"
        return f"{counted(self.images, 'image')} at once {where}"


def measured(students: Iterable[str], classes: int, image_size: int, limit: Limit) -> dict[str, Latency]:
    """Return the latency of each student: of several rounds among all of them, that with the lowest p95.

    Raises:
        ValueError: If one cannot be built.
    """
    found: dict[str, list[Latency]] = {name: [] for name in students}
    for _ in range(_ROUNDS):
        for name, rounds in found.items():
            source = NetworkSource(name, option="student_")
            where = [limit.images], [limit.threads], limit.device
            try:
                (one,) = speeds(source, classes, image_size, *where, _SECONDS, _LEAST)
            except ValueError as error:
                raise ValueError(f"--students {name}: {error}") from error
            rounds.append(one.latency)
    return {name: min(rounds, key=lambda one: one.p95) for name, rounds in found.items()}


def table(found: Mapping[str, Latency], limit: Limit) -> Fitting:
    """Return the latencies as a table, the fastest first, with those that are left out."""
    fastest_first = sorted(found, key=lambda name: found[name].p95)
    rows = [
        [name, f"{found[name].p50:.3g}", f"{found[name].p95:.3g}", _remark(found[name], limit)]
        for name in fastest_first
    ]
    return Fitting(["student", "p50 ms", "p95 ms", ""], rows, title=f"latency of {limit}, in eager PyTorch")


def refuse_none(found: Mapping[str, Latency], limit: Limit) -> None:
    """Raise ValueError if no student is fast enough, with the fastest."""
    if any(limit.allows(latency) for latency in found.values()):
        return
    fastest = min(found, key=lambda name: found[name].p95)
    raise ValueError(
        f"no student is fast enough: 95 % of the calls of the fastest, {fastest}, take up to {found[fastest].p95:.3g} "
        f"ms, and --max_latency is {limit.milliseconds:g} ms; name smaller --students, or allow more"
    )


def _remark(latency: Latency, limit: Limit) -> str:
    if limit.allows(latency):
        return ""
    is_near = limit.milliseconds is not None and latency.p50 <= limit.milliseconds
    return f"left out: p95 above {limit.milliseconds:g}" + (", p50 is not" if is_near else "")

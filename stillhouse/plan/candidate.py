"""A network that may be trained, with what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .speed import Speed


@dataclass(frozen=True)
class Candidate:
    """A network with what it costs.

    Args:
        name: As typed.
        parameters: Their number.
        macs: Multiply-accumulates for one image; 0 if they cannot be counted.
        speeds: Latencies on this machine.
    """

    name: str
    parameters: int
    macs: int
    speeds: Sequence[Speed] = ()

    def latency(self, images: int, threads: int) -> Speed | None:
        """Return what was measured in a situation; None if nothing was."""
        return next((one for one in self.speeds if (one.images, one.threads) == (images, threads)), None)


def situations(candidates: Sequence[Candidate]) -> list[tuple[int, int]]:
    """Return the numbers of images and threads that were measured."""
    found = {(one.images, one.threads) for candidate in candidates for one in candidate.speeds}
    return sorted(found)

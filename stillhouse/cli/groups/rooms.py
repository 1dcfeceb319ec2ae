"""Options of the commands that train many students in rooms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ...ranges import TYPE_CHECKING, Part, Range, check_options

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class RoomOptions:
    """Rooms and processes.

    Args:
        teachers: A teacher without weights is trained once, with the first seed, or once for each seed.
        processes: Number of rooms to train at the same time on this machine, each in its own process; by default one
            per GPU.
        ray: Train the rooms on a Ray cluster instead: its address, auto for the cluster that this machine belongs to,
            or local for a cluster of this machine alone. Its machines must share --folder.
        room: Train only this room, counted from 1, for jobs of a batch system. Rooms that other processes are training
            are always left to them.
        until: Train the students of --room only for this part of their epochs, at most 1, for now. The same command
            with a larger part trains them further.
        halve_memory: Halve the memory budget, given or measured, so many times: for a job that ran out of memory.
    """

    teachers: Literal["one", "per_seed"] = "one"
    processes: Annotated[int, Range("between 1 and 256", 1, 256)] | None = None
    ray: str | None = None
    room: Annotated[int, Range("at least 1", 1)] | None = None
    until: Part = 1.0
    halve_memory: Annotated[int, Range("between 0 and 10", 0, 10)] = 0

    def __post_init__(self) -> None:
        check_options(self)
        if self.until < 1 and self.room is None:
            raise ValueError(f"--until {self.until:g} is for a job that trains one room; add --room, or leave it out")

    def processes_on(self, device: torch.device) -> int:
        """Return the number of processes that train on a device of this kind."""
        import torch

        return self.processes or (max(torch.cuda.device_count(), 1) if device.type == "cuda" else 1)

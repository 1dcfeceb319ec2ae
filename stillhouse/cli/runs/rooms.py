"""Options of the commands that train many students, and their rooms in other processes or on other machines."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from ...ranges import TYPE_CHECKING, Part, Range, check_options
from ..arguments import named_values

if TYPE_CHECKING:
    import torch

    from ...bench.jobs import Say
    from ...bench.run import Elsewhere


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

    def elsewhere(self, command: str, values: Mapping[str, object], device: torch.device, say: Say) -> Elsewhere | None:
        """Return a function that trains rooms, by number and name, in other processes; None if this one trains them.

        Args:
            command: Name of the command whose rooms they are.
            values: Its options that are not at their defaults.
        """
        import torch

        from ...bench.jobs import job, run_here, run_on_ray

        if self.ray is None and self.processes_on(device) == 1:
            return None
        own = {"processes": 1, "ray": None}
        options = json.dumps({**values, **own}, default=_plain)
        gpus = torch.cuda.device_count() if device.type == "cuda" else 0

        def train(rooms: Mapping[int, str]) -> None:
            jobs = [job(command, number, name, options) for number, name in rooms.items()]
            if self.ray:
                run_on_ray(jobs, self.ray, bool(gpus), say)
            else:
                run_here(jobs, self.processes_on(device), gpus, say)

        return train


def given_values(command: Any) -> dict[str, object]:
    """Return the values of the options that the user gave."""
    return {name: value for name, value in named_values(command).items() if name in command.given}


def given_for_distill(command: Any, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the given values of options of `stillhouse distill`, except some."""
    from ...bench.plan import typed_options

    typed = typed_options(named_values(command), command.given)
    return {name: value for name, value in typed.items() if name not in ("methods", "recipe", *but)}


def _plain(value: Any) -> object:
    is_group = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return dataclasses.asdict(value) if is_group else str(value)

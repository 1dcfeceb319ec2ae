"""The rooms of commands that train many students, in other processes or on other machines."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import torch

from ...bench.jobs import Say, job, run_here, run_on_ray
from ...bench.plan import typed_options
from ...bench.run import Elsewhere
from ..arguments import named_values
from ..groups.rooms import RoomOptions


def elsewhere(
    rooms: RoomOptions, command: str, values: Mapping[str, object], device: torch.device, say: Say
) -> Elsewhere | None:
    """Return a function that trains rooms, by number and name, in other processes; None if this one trains them.

    Args:
        command: Name of the command whose rooms they are.
        values: Its options that are not at their defaults.
    """
    if rooms.ray is None and rooms.processes_on(device) == 1:
        return None
    own = {"processes": 1, "ray": None}
    options = json.dumps({**values, **own}, default=_plain)
    gpus = torch.cuda.device_count() if device.type == "cuda" else 0

    def train(found: Mapping[int, str]) -> None:
        jobs = [job(command, number, name, options) for number, name in found.items()]
        if rooms.ray:
            run_on_ray(jobs, rooms.ray, bool(gpus), say)
        else:
            run_here(jobs, rooms.processes_on(device), gpus, say)

    return train


def given_values(command: Any) -> dict[str, object]:
    """Return the values of the options that the user gave."""
    return {name: value for name, value in named_values(command).items() if name in command.given}


def given_for_distill(command: Any, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the given values of options of `stillhouse distill`, except some."""
    typed = typed_options(named_values(command), command.given)
    return {name: value for name, value in typed.items() if name not in ("methods", "recipe", *but)}


def _plain(value: Any) -> object:
    is_group = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return dataclasses.asdict(value) if is_group else str(value)

"""The rank of this process among those that torchrun started, known before they have met."""

from __future__ import annotations

import os


class Lost(Exception):  # noqa: N818 (the others are lost)
    """Another rank is gone."""


def several() -> bool:
    """Tell whether torchrun started more than one process."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def refuse_several(command: str) -> None:
    """Raise ValueError if torchrun started more than one process for a command that is the work of one."""
    if several():
        raise ValueError(f"`stillhouse {command}` is the work of one process; start it without torchrun")


def number() -> int:
    """Return the rank that torchrun gave this process; it is known before the ranks have met."""
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Tell whether this is the rank that writes files and prints."""
    return number() == 0


def local_rank() -> int:
    """Return the number of this process's GPU on this machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))

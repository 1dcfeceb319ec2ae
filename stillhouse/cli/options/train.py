"""Options of `stillhouse train`."""

from __future__ import annotations

from dataclasses import dataclass

from ..config import RunOptions
from ..networks import NetworkOptions
from ..words.run_names import NameOptions, ShowOptions


@dataclass(frozen=True)
class Train:
    """Train a network by itself."""

    network: NetworkOptions
    naming: NameOptions
    shown: ShowOptions
    run: RunOptions

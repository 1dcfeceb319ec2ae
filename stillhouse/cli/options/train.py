"""Options of `stillhouse train`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..config import RunOptions
from ..networks import NetworkOptions
from ..words.run_names import NameOptions, ShowOptions
from ..words.suited import suited


@dataclass(frozen=True)
class Train:
    """Train a network by itself."""

    network: NetworkOptions
    naming: NameOptions
    shown: ShowOptions
    run: RunOptions

    @staticmethod
    def implied(values: Mapping[str, Any], typed: Collection[str]) -> Mapping[str, object]:
        """Return the defaults for the data."""
        return suited(values, typed)

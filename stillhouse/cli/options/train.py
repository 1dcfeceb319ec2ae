"""Options of `stillhouse train`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..groups.networks import NetworkOptions
from ..groups.run import RunOptions
from ..words.run_names import NameOptions, ShowOptions
from ..words.suited import IN_HELP, suited


@dataclass(frozen=True)
class Train:
    """Train a network by itself."""

    network: NetworkOptions
    naming: NameOptions
    shown: ShowOptions
    run: RunOptions

    @staticmethod
    def defaults_in_words() -> Mapping[str, str]:
        """Return words for the defaults that are not those of the options themselves."""
        return IN_HELP

    @staticmethod
    def implied(values: Mapping[str, Any], typed: Collection[str]) -> Mapping[str, object]:
        """Return the defaults for the data."""
        return suited(values, typed)

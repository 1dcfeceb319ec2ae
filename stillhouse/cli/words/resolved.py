"""All options of a command as it will use them: defaults, those of a recipe, and those that were typed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import yaml

from ...training.config import TrainConfig
from ..arguments import group_of, named_values, option_groups
from ..groups.length import EPOCHS, EpochOptions

PRINT = "--print_config"  # the word that asks for them instead of running the command


def resolved(command: object) -> str:
    """Return the options of a command as YAML that --config reads."""
    values = named_values(command)
    if EpochOptions in option_groups(type(command)):
        values["epochs"] = group_of(command, EpochOptions).epochs  # as typed: the default depends on the data
    lines = [f"# {_epochs(values)}"] if "epochs" in values and values["epochs"] is None else []
    if isinstance(methods := values.get("methods"), str) and ";" not in methods and "baseline" in values:
        from ...methods.parse import parse

        values["methods"] = [str(method) for method in parse(methods)]
    return "\n".join([*lines, yaml.safe_dump({name: _plain(value) for name, value in values.items()}, sort_keys=False)])


def _epochs(values: Mapping[str, object]) -> str:
    known = EPOCHS.get(str(values.get("data")), TrainConfig.epochs)
    return f"epochs: null becomes {known} for these data, or 90 if its images are too large for memory"


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value

"""The protocol of a run: all settings that its numbers depend on, except data, networks, methods and seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from ..cli.arguments import named_values
from ..cli.groups.networks import TeacherOptions
from ..cli.groups.run import PrecisionOptions, RunOptions
from .records import RunRecord

Settings = Mapping[str, object]

# These do not change numbers, or are compared separately.
_ELSEWHERE = {
    *("folder", "device", "workers", "capture", "skip_broken", "trust_teacher"),
    *("data", "seed", "image_size", "sync_batchnorm", "track"),
}


def protocol(record: RunRecord) -> dict[str, object]:
    """Return the settings of a training by name; settings that an older run does not have are at their defaults."""
    own, prefix = record.config, "student_" if record.is_taught else ""
    found = {name: own.get(name, default) for name, default in default_protocol().items()}
    found["image_size"] = record.result.get("image_size")
    found["student_weights"] = own.get(f"{prefix}weights")
    found["processes"] = record.result.get("processes", 1)
    found["sync_batchnorm"] = own.get("sync_batchnorm", False)
    return {name: _plain(value) for name, value in found.items()}


def teaching(record: RunRecord) -> dict[str, object]:
    """Return the settings for reading the teacher; empty for a network by itself."""
    if not record.is_taught:
        return {}
    return {name: _plain(record.config.get(name, default)) for name, default in _teaching().items()}


def differing(some: Iterable[Settings]) -> list[str]:
    """Return the names of settings that are not equal in all of these."""
    several = list(some)
    known = dict.fromkeys(name for one in several for name in one)
    return [name for name in known if any(one.get(name) != several[0].get(name) for one in several)]


def in_words(settings: Settings, names: Sequence[str]) -> str:
    """Return "epochs 5, lr 0.1"."""
    return ", ".join(f"{name} {shown(settings.get(name))}" for name in names)


def shown(value: object) -> str:
    """Return a value for display."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ", ".join(map(shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


@cache
def default_protocol() -> Mapping[str, object]:
    """Return the settings of a training that numbers depend on, at their defaults."""
    options = named_values(RunOptions())
    return {name: _plain(value) for name, value in options.items() if name not in _ELSEWHERE}


@cache
def _teaching() -> dict[str, object]:
    options = named_values(TeacherOptions()) | named_values(PrecisionOptions())
    return {name: _plain(value) for name, value in options.items() if name not in _ELSEWHERE}


def _plain(value: object) -> object:
    """Return a hashable value that is unchanged by YAML."""
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value

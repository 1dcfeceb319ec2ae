"""A note to the user about an earlier run of the same training for another number of epochs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ...spelling import counted
from ...training.run_files import read_config
from ...training.student import StudentTrainer
from ..data_options import DataOptions, SplitOptions

_NOT_IDENTITY = (
    "folder",
    "track",
    "device",
    "baseline",
    "teacher_cache",
    "cache_budget",
    "memory_budget",
)  # options that do not change a run

_OLD_DEFAULTS = {  # values in older runs, which did not write them down
    field.name: field.default for group in (DataOptions, SplitOptions) for field in dataclasses.fields(group)
}


def note_on_other_epochs(trainer: StudentTrainer, remedy: str) -> str | None:
    """Return a note if the same training was done for fewer or more epochs, and how to continue from its weights.

    Args:
        remedy: How to continue from its weights, with {folder} or {weights} in it.
    """
    run = trainer.run
    if run.folder.exists():
        return None
    alike = [folder for folder in sorted(run.folder.parent.glob(f"{_slug(run.folder)}-*")) if _same(folder, run.config)]
    before = max(alike, key=_epochs, default=None)
    if before is None:
        return None
    note = (
        f"{before} is the same training for {counted(_epochs(before), 'epoch')}; with another --epochs it is another "
        "run, which starts from the beginning, because the learning-rate schedule depends on it"
    )
    weights = before / "student.safetensors"
    if not _fits(weights, trainer):
        return note
    return f"{note}; {remedy.format(folder=before, weights=weights)}"


def _slug(folder: Path) -> str:
    return folder.name.rpartition("-")[0]


def _config(folder: Path) -> dict[str, Any]:
    try:
        return read_config(folder / "config.yaml")
    except (OSError, ValueError):
        return {}


def _epochs(folder: Path) -> int:
    return int(_config(folder)["epochs"])


def _same(folder: Path, config: dict[str, object]) -> bool:
    """Return True if the configuration of a run differs from this one only in the number of epochs."""
    other = _config(folder)
    different = {name for name in config if other.get(name, _OLD_DEFAULTS.get(name, config[name])) != config[name]}
    return different - set(_NOT_IDENTITY) == {"epochs"} and isinstance(other["epochs"], int)


def _fits(weights: Path, trainer: StudentTrainer) -> bool:
    """Return True if the student can start from these weights; some methods ship more than the student."""
    try:
        with safe_open(weights, "pt") as file:
            return set(file.keys()) == set(trainer.distillation.student.model.state_dict())
    except (OSError, SafetensorError):
        return False

"""Notes to the user about earlier runs that differ from a new one in a single option."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ...report.labels import label
from ...spelling import counted
from ...training.run_files import read_config
from ...training.student import StudentTrainer
from ...training.teachers.weights_file import weights_in
from ..groups.data import DataOptions, SplitOptions

_NOT_IDENTITY = (
    "folder",
    "name",
    "terms",
    "seeds",
    "track",
    "device",
    "baseline",
    "capture",
    "teacher_cache",
    "cache_budget",
    "memory_budget",
)  # options that do not change a run

_OLD_DEFAULTS = {  # values in older runs, which did not write them down
    field.name: field.default for group in (DataOptions, SplitOptions) for field in dataclasses.fields(group)
}
_Config = dict[str, Any]


def notes_on_other_runs(trainer: StudentTrainer, remedy: str) -> Iterator[str]:
    """Yield notes on runs that differ from a new one in a single option, and how to continue from them.

    Such a run was trained for another number of epochs, or is unfinished.

    Args:
        remedy: How to continue from the weights of a run with other epochs, with {folder} or {weights} in it.
    """
    run = trainer.run
    if run.folder.exists():
        return
    found = [(folder, config, name) for folder, config in _others(run.folder) if (name := _other(config, run.config))]
    lengths = {folder: config["epochs"] for folder, config, name in found if name == "epochs"}
    lengths = {folder: epochs for folder, epochs in lengths.items() if isinstance(epochs, int)}
    if lengths:
        yield _on_other_epochs(max(lengths, key=lengths.__getitem__), lengths, trainer, remedy)
    for folder, config, name in found:
        if name != "epochs" and (folder / "state.pt").exists():
            there, here = (_shown(name, values.get(name)) for values in (config, run.config))
            yield (
                f"{folder} is unfinished and differs only in {name} ({there}; here {here}): this is another run, and "
                f"'stillhouse runs resume {folder}' continues that one"
            )


def _on_other_epochs(before: Path, lengths: dict[Path, int], trainer: StudentTrainer, remedy: str) -> str:
    note = (
        f"{before} is the same training for {counted(lengths[before], 'epoch')}; with another --epochs it is another "
        "run, which starts from the beginning, because the learning-rate schedule depends on it"
    )
    weights = weights_in(before)
    if not _fits(weights, trainer):
        return note
    return f"{note}; {remedy.format(folder=before, weights=weights)}"


def _others(folder: Path) -> Iterator[tuple[Path, _Config]]:
    """Yield the runs beside a folder whose names begin alike, with their configurations."""
    if not folder.parent.is_dir():
        return
    begins = folder.name.partition("-seed")[0].partition("_")[0]
    for other in sorted(folder.parent.iterdir()):
        if other.name.startswith(begins) and (other / "config.yaml").exists():
            try:
                yield other, read_config(other / "config.yaml")
            except (OSError, ValueError):
                continue


def _other(config: _Config, ours: _Config) -> str | None:
    """Return the option in which a run differs from ours, if it is one alone."""
    different = {name for name in ours if config.get(name, _OLD_DEFAULTS.get(name, ours[name])) != ours[name]}
    different -= set(_NOT_IDENTITY)
    is_same_kind = ("student" in config) == ("student" in ours)
    return different.pop() if len(different) == 1 and is_same_kind and config.keys() >= different else None


def _shown(name: str, value: object) -> str:
    if name == "methods" and isinstance(value, list):
        return label([str(one) for one in value])
    return f"{value:g}" if isinstance(value, float) else str(value)


def _fits(weights: Path, trainer: StudentTrainer) -> bool:
    """Return True if the student can start from these weights; some methods ship more than the student."""
    try:
        with safe_open(weights, "pt") as file:
            return set(file.keys()) == set(trainer.distillation.student.model.state_dict())
    except (OSError, SafetensorError):
        return False

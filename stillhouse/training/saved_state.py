"""The content of state.pt: everything needed to resume a student's training, checked when it is read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..checkpoints import load_state, load_weights
from .run_files import Row, checksum, dump_rows
from .run_folder import Run


@dataclass(frozen=True)
class SavedState:
    """A point between two steps of a run.

    Args:
        position: The next epoch, and the next step in it.
        seconds: Time spent on training so far.
        best: The best top-1 in percent, and its epoch.
        losses: The sums of this epoch, from `LossMeter`.
        distillation: The state dict of student and methods.
        optimizer: The state dict of the current phase's optimiser.
        run: The name of the run's folder; empty in states of version 0.1.0.
        rows: A checksum of the rows of metrics.jsonl before `position`; empty in states of version 0.1.0.
        threads: CPU threads that it was trained with, on which the last bits depend; 0 if the state does not say.
    """

    position: tuple[int, int]
    seconds: float
    best: tuple[float, int]
    losses: Mapping[str, object]
    distillation: Mapping[str, Tensor]
    optimizer: dict[str, Any]
    run: str = ""
    rows: str = ""
    threads: int = field(default_factory=torch.get_num_threads)

    def to_dict(self) -> dict[str, object]:
        return {
            "position": self.position,
            "seconds": self.seconds,
            "best": self.best,
            "tally": self.losses,  # the name in version 0.1.0, so that its runs can be finished
            "distillation": self.distillation,
            "optimizer": self.optimizer,
            "run": self.run,
            "rows": self.rows,
            "threads": self.threads,
        }

    @classmethod
    def from_dict(cls, loaded: Mapping[str, object]) -> SavedState:
        """Return the state that `to_dict` turned into this dictionary.

        Raises:
            ValueError: If it is not such a dictionary; the message is a clause.
        """
        for name in ("position", "seconds", "best", "tally", "distillation", "optimizer"):
            if name not in loaded:
                raise ValueError(f"it has no {name!r}")
        match loaded["position"], loaded["best"], loaded["seconds"]:
            case (int(epoch), int(step)), (int() | float() as top1, int(after)), (int() | float() as seconds):
                is_possible = epoch >= 0 and step >= 0 and not math.isnan(top1) and 0 <= seconds < math.inf
            case _:
                is_possible = False
        if not is_possible:
            raise ValueError("its position cannot be read")
        losses, distillation, optimizer = (loaded[name] for name in ("tally", "distillation", "optimizer"))
        if not isinstance(losses, dict):
            raise ValueError("its losses cannot be read")
        if not (isinstance(distillation, dict) and all(isinstance(value, Tensor) for value in distillation.values())):
            raise ValueError("its weights cannot be read")
        if not (isinstance(optimizer, dict) and {"state", "param_groups"} <= optimizer.keys()):
            raise ValueError("its optimiser cannot be read")
        run, rows, threads = loaded.get("run", ""), loaded.get("rows", ""), loaded.get("threads", 0)
        if not (isinstance(run, str) and isinstance(rows, str) and isinstance(threads, int)):
            raise ValueError("the name of its run cannot be read")
        position, best = (epoch, step), (float(top1), after)
        return cls(position, float(seconds), best, losses, distillation, optimizer, run, rows, threads)


def rows_checksum(rows: Sequence[Row]) -> str:
    return checksum(dump_rows(rows).encode())


def read_saved(run: Run) -> tuple[SavedState, list[Row]] | None:
    """Return the state to resume a run from, and its rows of metrics up to there; None for a new run.

    Raises:
        ValueError: If its files are damaged, or belong to another run.
    """
    loaded = run.load()
    if loaded is None:
        return None
    try:
        state = SavedState.from_dict(loaded)
    except ValueError as error:
        raise cannot_resume(run, str(error)) from error
    if state.run and hash_of(state.run) != hash_of(run.folder.name):
        raise cannot_resume(run, f"it belongs to {state.run}")
    epoch, _ = state.position
    rows, metrics = run.rows()[:epoch], run.folder / "metrics.jsonl"
    way_out = f"restore it, or move {run.folder} away to start again"
    if len(rows) < epoch:
        raise ValueError(f"{metrics} has {len(rows)} of the {epoch} epochs that state.pt continues; {way_out}")
    if state.rows not in ("", rows_checksum(rows)):
        raise ValueError(f"{metrics} is not what the run wrote; {way_out}")
    return state, rows


def hash_of(name: str) -> str:
    """Return the end of the name of a run's folder, by which it is recognised whatever the name begins with."""
    return name.rpartition("-")[2]


def saved_name(folder: Path) -> str:
    """Return the name that a run's folder had when its state was saved; empty if none is saved or it cannot be read."""
    try:
        return SavedState.from_dict(load_state(folder / "state.pt")).run
    except (OSError, ValueError):  # reading it to resume says why
        return ""


def load_finished(run: Run, model: nn.Module, methods: nn.Module) -> tuple[tuple[float, int], list[Row]]:
    """Load the weights of a finished run; return the best epoch's top-1 and number, and all rows."""
    result = run.result
    load_weights(model, run.weights)
    if (run.folder / "methods.safetensors").is_file():
        load_weights(methods, run.folder / "methods.safetensors")
    return (float(str(result["best_top1"])), int(str(result["best_epoch"]))), run.rows()


def cannot_resume(run: Run, why: str) -> ValueError:
    """Return the error about a state.pt; `why` is a clause."""
    return ValueError(
        f"{run.folder / 'state.pt'} is damaged or of another version of the code ({' '.join(why.split())[:300]}); move "
        f"{run.folder} away to start again"
    )

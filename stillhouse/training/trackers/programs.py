"""Programs that show the numbers of runs, epoch by epoch, and what came out of them: one small class for each.

They are imported when a run begins to use them, and not before.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ...checkpoints import write_atomically
from .event_file import EventFile

RECORD = "tracked.json"  # in a run's folder: what other programs call the run, and the last epoch that they have


class Tracker(ABC):
    """Shows the numbers of one run.

    Args:
        folder: Of the run.
        config: The content of its `config.yaml`.
        first: The epoch with which this process begins.
    """

    package: ClassVar[str]  # as pip and Python call it
    is_elsewhere: ClassVar[bool] = True  # otherwise it writes into the run's folder, and its errors are the run's
    last: int  # the last epoch that it has

    @abstractmethod
    def __init__(self, folder: Path, config: Mapping[str, object], first: int): ...

    @abstractmethod
    def add(self, epoch: int, numbers: Mapping[str, float]) -> None:
        """Show the numbers of an epoch, by names such as top1 and CTKD/temperature."""

    def finish(self, result: Mapping[str, object]) -> None:  # noqa: B027 (not all show it)
        """Show what came out of the run."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it; the run may go on later."""


class TensorBoard(Tracker):
    """A file of scalars in the run's folder."""

    package = "tensorboard"
    is_elsewhere = False

    def __init__(self, folder: Path, config: Mapping[str, object], first: int):
        self._file, self.last = EventFile(folder, first), first - 1

    def add(self, epoch: int, numbers: Mapping[str, float]) -> None:
        self._file.add(epoch, numbers)
        self.last = epoch

    def close(self) -> None:
        self._file.close()


class WandB(Tracker):
    """Weights & Biases: the project WANDB_PROJECT, or stillhouse, online or offline as its own variables say.

    Offline it writes nothing before it is closed, so a process that is killed takes its epochs along: the next one
    gives them again, at the same steps.
    """

    package = "wandb"

    def __init__(self, folder: Path, config: Mapping[str, object], first: int):
        import wandb

        self._record = _Record(folder, self.package)
        name = self._record.name or secrets.token_hex(8)
        offline = os.environ.get("WANDB_MODE", "online") != "online"
        if not offline and not wandb.api.api_key:  # it would ask for one on the terminal, and wait
            raise ValueError("it knows no account; run wandb login, or set WANDB_MODE=offline")
        self._run: Any = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "stillhouse"),
            id=name,
            name=folder.name[:128],
            config=dict(config),
            dir=str(folder),
            resume="allow",
            reinit="create_new",  # several students of one process
            settings=wandb.Settings(silent=True, console="off"),
        )
        self.last = max(self._record.last, int(self._run.step) - 1)  # online it knows at which step it goes on
        self._record.write(name, self.last)

    def add(self, epoch: int, numbers: Mapping[str, float]) -> None:
        self._run.log(dict(numbers), step=epoch)
        self.last = epoch

    def finish(self, result: Mapping[str, object]) -> None:
        self._run.summary.update({f"result/{name}": value for name, value in result.items()})

    def close(self) -> None:
        self._run.finish()
        self._record.write(self._record.name, self.last)


class MLflow(Tracker):
    """MLflow: the experiment MLFLOW_EXPERIMENT_NAME, or stillhouse, at MLFLOW_TRACKING_URI."""

    package = "mlflow"

    def __init__(self, folder: Path, config: Mapping[str, object], first: int):
        from mlflow import MlflowClient

        self._client: Any = MlflowClient()
        self._record = _Record(folder, self.package)
        self._run: str = self._record.name or self._created(folder, config)
        self._client.update_run(self._run, status="RUNNING")
        shown = self._client.get_metric_history(self._run, "top1")  # better than the record, if a process was killed
        self.last = max((metric.step for metric in shown), default=0)
        self._record.write(self._run, self.last)

    def _created(self, folder: Path, config: Mapping[str, object]) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "stillhouse")
        known = self._client.get_experiment_by_name(name)
        experiment = known.experiment_id if known else self._client.create_experiment(name)
        run: str = self._client.create_run(experiment, run_name=folder.name).info.run_id
        for option, value in config.items():
            self._client.log_param(run, option, str(value)[:500])
        return run

    def add(self, epoch: int, numbers: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(_plain(name), float(value), now, epoch) for name, value in numbers.items()]
        self._client.log_batch(self._run, metrics=metrics)
        self.last = epoch
        self._record.write(self._run, epoch)

    def finish(self, result: Mapping[str, object]) -> None:
        for name, value in result.items():
            self._client.set_tag(self._run, f"result.{name}", str(value)[:500])
        self._client.set_terminated(self._run)

    def close(self) -> None: ...


TRACKERS: Mapping[str, type[Tracker]] = {"tensorboard": TensorBoard, "wandb": WandB, "mlflow": MLflow}


class _Record:
    """The name that a program has for a run, and the last epoch that it was given, kept in the run's folder."""

    def __init__(self, folder: Path, program: str):
        self._file, self._program = folder / RECORD, program
        entry = self._read().get(program)
        entry = entry if isinstance(entry, dict) else {}
        name, last = entry.get("run"), entry.get("epoch")
        self.name = name if isinstance(name, str) else ""
        self.last = last if isinstance(last, int) and self.name else 0

    def write(self, name: str, last: int) -> None:
        self.name, self.last = name, last
        content = {**self._read(), self._program: {"run": name, "epoch": last}}
        write_atomically(self._file, (json.dumps(content) + "\n").encode())

    def _read(self) -> dict[str, object]:
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # there is none, or it is damaged
            return {}
        return content if isinstance(content, dict) else {}


def _plain(name: str) -> str:
    """Return a name of a metric as MLflow takes it."""
    return re.sub(r"[^\w\-. /:]", "_", name)

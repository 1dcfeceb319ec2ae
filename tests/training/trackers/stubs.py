"""Stand-ins for wandb and MLflow: what they are told is remembered, as their servers would."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


@dataclass
class Server:
    """All runs by their names, with the metrics as (epoch, name, value), in the order in which they came."""

    metrics: dict[str, list[tuple[int, str, float]]] = field(default_factory=dict)
    results: dict[str, dict[str, object]] = field(default_factory=dict)
    configs: dict[str, dict[str, object]] = field(default_factory=dict)
    calls: int = 0
    is_online: bool = False  # wandb, when it is offline, writes with its end only
    fails_at: int | None = None  # the call from which on nothing works

    def called(self) -> None:
        self.calls += 1
        if self.fails_at is not None and self.calls >= self.fails_at:
            raise ConnectionError("the server is\ngone")


class WandBRun:
    def __init__(self, server: Server, name: str):
        self.server, self.name = server, name
        self.told: list[tuple[int, str, float]] = []
        known = [epoch for epoch, _, _ in server.metrics[name]]
        self.step = max(known) + 1 if known and server.is_online else 0
        self.summary = SimpleNamespace(update=self._update)

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        self.server.called()
        told = self.server.metrics[self.name] if self.server.is_online else self.told
        told += [(step, name, value) for name, value in numbers.items()]

    def _update(self, result: Mapping[str, object]) -> None:
        self.server.results[self.name] |= result

    def finish(self) -> None:
        self.server.called()
        self.server.metrics[self.name] += self.told


def wandb(server: Server, monkeypatch: pytest.MonkeyPatch, account: str | None = "key") -> None:
    """Put a stand-in for wandb into the place of the package."""

    def init(*, id: str, config: dict[str, object], resume: str, reinit: str, **_: object) -> WandBRun:
        server.called()
        assert (resume, reinit) == ("allow", "create_new")
        server.metrics.setdefault(id, [])
        server.results.setdefault(id, {})
        server.configs[id] = config
        return WandBRun(server, id)

    _install(monkeypatch, "wandb", init=init, Settings=dict, api=SimpleNamespace(api_key=account))


class Client:
    def __init__(self, server: Server):
        self.server = server
        self.experiments: dict[str, str] = {}

    def get_experiment_by_name(self, name: str) -> SimpleNamespace | None:
        return SimpleNamespace(experiment_id=name) if self.server.metrics else None

    def create_experiment(self, name: str) -> str:
        return name

    def create_run(self, experiment: str, run_name: str) -> SimpleNamespace:
        self.server.called()
        name = f"{experiment}/{len(self.server.metrics)}"
        self.server.metrics[name], self.server.results[name], self.server.configs[name] = [], {}, {}
        return SimpleNamespace(info=SimpleNamespace(run_id=name))

    def log_param(self, run: str, option: str, value: str) -> None:
        self.server.configs[run][option] = value

    def update_run(self, run: str, status: str) -> None:
        assert run in self.server.metrics

    def get_metric_history(self, run: str, name: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(step=epoch) for epoch, known, _ in self.server.metrics[run] if known == name]

    def log_batch(self, run: str, metrics: Sequence[Any]) -> None:
        self.server.called()
        self.server.metrics[run] += [(one.step, one.key, one.value) for one in metrics]

    def set_tag(self, run: str, name: str, value: str) -> None:
        self.server.results[run][name] = value

    def set_terminated(self, run: str) -> None:
        self.server.called()


def mlflow(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a stand-in for MLflow into the place of the package."""

    def metric(key: str, value: float, timestamp: int, step: int) -> SimpleNamespace:
        return SimpleNamespace(key=key, value=value, step=step)

    _install(monkeypatch, "mlflow.entities", Metric=metric)
    _install(monkeypatch, "mlflow", MlflowClient=lambda: Client(server))


def _install(monkeypatch: pytest.MonkeyPatch, name: str, **content: object) -> None:
    module = ModuleType(name)
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)


INSTALLERS: dict[str, Callable[[Server, pytest.MonkeyPatch], None]] = {"wandb": wandb, "mlflow": mlflow}

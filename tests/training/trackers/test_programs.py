"""What each tracker is told of a run, and that nothing is told twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stillhouse.training.trackers.programs import RECORD, TRACKERS
from tests.training.trackers import stubs

NAMES = sorted(stubs.INSTALLERS)


@pytest.fixture(params=NAMES)
def named(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, stubs.Server]:
    server = stubs.Server()
    stubs.INSTALLERS[request.param](server, monkeypatch)
    return request.param, server


def test_it_gets_epochs_configuration_and_outcome(tmp_path: Path, named: tuple[str, stubs.Server]) -> None:
    name, server = named
    tracker = TRACKERS[name](tmp_path, {"lr": 0.1}, 1)
    tracker.add(1, {"top1": 5.0, "CTKD/temperature": 2.0})
    tracker.finish({"top1": 6.0})
    tracker.close()
    ((run, metrics),) = server.metrics.items()
    assert metrics == [(1, "top1", 5.0), (1, "CTKD/temperature", 2.0)]
    assert [str(value) for value in server.results[run].values()] == ["6.0"]
    assert {option: str(value) for option, value in server.configs[run].items()} == {"lr": "0.1"}


def test_the_next_process_goes_on_with_the_same_run(tmp_path: Path, named: tuple[str, stubs.Server]) -> None:
    name, server = named
    for epoch in (1, 2):
        tracker = TRACKERS[name](tmp_path, {}, epoch)
        assert tracker.last == epoch - 1
        tracker.add(epoch, {"top1": float(epoch)})
        tracker.close()
    assert list(server.metrics.values()) == [[(1, "top1", 1.0), (2, "top1", 2.0)]]
    other = tmp_path / "other"
    other.mkdir()
    TRACKERS[name](other, {}, 1)
    assert len(server.metrics) == 2


@pytest.mark.parametrize("is_online", [False, True])
def test_killed_at_any_moment_an_epoch_is_there_once(
    tmp_path: Path, named: tuple[str, stubs.Server], is_online: bool
) -> None:
    name, server = named
    server.is_online = is_online
    tracker = TRACKERS[name](tmp_path, {}, 1)
    before = (tmp_path / RECORD).read_bytes()
    tracker.add(1, {"top1": 1.0})
    (tmp_path / RECORD).write_bytes(before)
    again = TRACKERS[name](tmp_path, {}, 1)
    if again.last < 1:
        again.add(1, {"top1": 1.0})
    again.close()
    assert list(server.metrics.values()) == [[(1, "top1", 1.0)]]


@pytest.mark.parametrize("content", ["", "[]", '{"wandb": 3, "mlflow": 3}', '{"wandb": {"run": 1}}'])
def test_a_damaged_record_begins_a_new_run(tmp_path: Path, named: tuple[str, stubs.Server], content: str) -> None:
    name, _ = named
    (tmp_path / RECORD).write_text(content)
    assert TRACKERS[name](tmp_path, {}, 1).last == 0
    assert name in json.loads((tmp_path / RECORD).read_text())


def test_without_an_account_wandb_would_ask_and_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stubs.wandb(stubs.Server(), monkeypatch, account=None)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with pytest.raises(ValueError, match="run wandb login, or set WANDB_MODE=offline"):
        TRACKERS["wandb"](tmp_path, {}, 1)
    monkeypatch.setenv("WANDB_MODE", "offline")
    TRACKERS["wandb"](tmp_path, {}, 1)

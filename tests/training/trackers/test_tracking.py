"""Trackers of a run: each has every epoch once, and none of them can stop it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stillhouse.training.run_folder import Run
from stillhouse.training.trackers.tracking import Tracking, is_installed
from tests.helpers.commands import World, contents, done, only, refusal
from tests.training.trackers import stubs

Capture = pytest.CaptureFixture[str]
NAMES = sorted(stubs.INSTALLERS)


@pytest.mark.parametrize("name", NAMES)
def test_epochs_that_it_missed_are_told_later(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = stubs.Server()
    stubs.INSTALLERS[name](server, monkeypatch)
    rows = [{"epoch": epoch, "phase": "distillation", "top1": float(epoch)} for epoch in (1, 2, 3)]
    notes: list[str] = []
    first = Tracking(tmp_path, {}, [name], notes.append)
    first.add(rows[0], list)
    first.close()
    later = Tracking(tmp_path, {}, [name], notes.append)
    later.add(rows[2], lambda: rows[:2])
    later.close()
    assert list(server.metrics.values()) == [[(1, "top1", 1.0), (2, "top1", 2.0), (3, "top1", 3.0)]]
    last = Tracking(tmp_path, {}, [name], notes.append)
    last.finish({"top1": 4.0}, rows)
    assert [list(map(str, result.values())) for result in server.results.values()] == [["4.0"]]
    assert len(next(iter(server.metrics.values()))) == 3
    assert notes == []


@pytest.mark.parametrize("fails_at", [1, 2, 3, 4])
@pytest.mark.parametrize("name", NAMES)
def test_a_failure_is_a_note_once_and_the_run_goes_on(
    name: str, fails_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, notes = stubs.Server(fails_at=fails_at), list[str]()
    stubs.INSTALLERS[name](server, monkeypatch)
    with Run(tmp_path, "run", {}) as run:
        run.track([name], notes.append)
        for epoch in (1, 2):
            run.chart({"epoch": epoch, "top1": 1.0})
        run.finish(torch.nn.Linear(1, 1), {}, {"top1": 1.0, "top5": 1.0, "test_loss": 1.0, "best_top1": 1.0})
    assert run.is_done
    assert notes == [note for note in notes if note.startswith(f"{name} fails (ConnectionError: the server is gone")]
    assert len(notes) == 1
    assert notes[0].endswith(f"; {run.folder.name} goes on without it")


@pytest.mark.skipif(not is_installed("tensorboard"), reason="TensorBoard is not installed")
def test_a_failing_tracker_does_not_keep_tensorboard_from_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubs.wandb(stubs.Server(fails_at=1), monkeypatch)
    tracking = Tracking(tmp_path, {}, ["wandb"])
    tracking.add({"epoch": 1, "top1": 1.0}, list)
    tracking.close()
    assert list(tmp_path.glob("events.*"))


@pytest.mark.parametrize("name", NAMES)
def test_it_changes_nothing_in_a_run_but_its_record(
    name: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    server = stubs.Server()
    stubs.INSTALLERS[name](server, monkeypatch)
    monkeypatch.setattr("stillhouse.training.trackers.tracking.is_installed", lambda _: True)
    words = ["train", "--model", f"{world.nets}:small"]
    done(capsys, [*words, *world.small(tmp_path / "alone")])
    done(capsys, [*words, *world.small(tmp_path / "shown"), "--track", name])
    alone, shown = only(tmp_path / "alone"), only(tmp_path / "shown")
    assert alone.name == shown.name
    ours = ("model.safetensors", "best.safetensors")
    assert [contents(alone)[file][1] for file in ours] == [contents(shown)[file][1] for file in ours]
    assert set(contents(shown)) - set(contents(alone)) - {one for one in contents(shown) if "events" in one} == {
        "tracked.json"
    }
    epochs = [epoch for epoch, metric, _ in next(iter(server.metrics.values())) if metric == "top1"]
    assert epochs == [1, 2]
    done(capsys, [*words, *world.small(tmp_path / "shown"), "--track", name])
    assert len(next(iter(server.metrics.values()))) == len(set(next(iter(server.metrics.values()))))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", ["train", "distill"])
def test_what_is_not_installed_is_refused_before_data_are_read(
    name: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("stillhouse.training.trackers.tracking.is_installed", lambda _: False)
    expected = f"--track {name} needs a package that is not installed: pip install {name}"
    assert expected in refusal(capsys, [command, "--track", name, "--data", "nowhere/at/all"])

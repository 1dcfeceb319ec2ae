"""A run's folder: its name, its lock, and what is in it at any moment."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from stillhouse.checkpoints import about_weights, read_weights
from stillhouse.training.run_folder import Run, read_result
from tests.helpers.networks import QuickNet


def new(root: Path, **identity: object) -> Run:
    return Run(root, "digits-my nets.py:small-seed0", identity, {"data": "digits", "epochs": 3, "milestones": [0.5]})


def test_the_folder_is_named_by_everything_that_the_outcome_depends_on(tmp_path: Path) -> None:
    first = new(tmp_path, seed=0, recipe={"lr": 0.1, "epochs": 2})
    assert first.folder.name.startswith("digits-my_nets.py_small-seed0-")
    assert first.folder == new(tmp_path, recipe={"epochs": 2, "lr": 0.1}, seed=0).folder
    assert first.folder != new(tmp_path, seed=1, recipe={"lr": 0.1, "epochs": 2}).folder
    assert not first.folder.exists()  # nothing is written before it begins


def test_long_names_are_cut(tmp_path: Path) -> None:
    first, second = (Run(tmp_path, "+".join(["KD"] * 99), {"seed": seed}, {}) for seed in (0, 1))
    assert len(first.folder.name) < 200
    assert first.folder != second.folder


def test_the_configuration_is_there_from_the_beginning(tmp_path: Path) -> None:
    with new(tmp_path) as run:
        assert yaml.safe_load((run.folder / "config.yaml").read_text()) == run.config
    assert list(run.config) == ["data", "epochs", "milestones"]


def test_two_processes_never_share_a_folder(tmp_path: Path) -> None:
    with new(tmp_path) as run:
        with pytest.raises(ValueError, match=rf"{run.folder.name} is in use by another process; wait for it"):
            new(tmp_path).__enter__()
        with new(tmp_path, seed=1):  # another run may go on beside it
            pass
    with new(tmp_path):  # and this one once it is free
        pass


def test_the_lock_is_gone_with_a_killed_process(tmp_path: Path) -> None:
    run = new(tmp_path)
    run.folder.mkdir()
    script = "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX); "
    holder = "print('locked', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script + holder, run.folder / "lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        with pytest.raises(ValueError, match="in use by another process"):
            run.__enter__()
        process.kill()
    with run:
        pass


def test_leftovers_of_a_killed_process_are_cleared(tmp_path: Path) -> None:
    run = new(tmp_path)
    run.folder.mkdir()
    (run.folder / ".state.pt.x7f3").write_bytes(b"half")
    with run:
        assert sorted(path.name for path in run.folder.iterdir()) == ["config.yaml", "lock"]


def test_it_goes_on_from_the_last_point_saved(tmp_path: Path) -> None:
    with new(tmp_path) as run:
        assert run.load() is None
        assert run.rows() == []
        assert "nothing is kept" in run.describe()
        run.save({"position": (1, 0)}, [{"epoch": 1, "CE": 2.5}])
        run.save({"position": (2, 0)}, [{"epoch": 1, "CE": 2.5}, {"epoch": 2, "CE": 1.5}])
    again = new(tmp_path)
    assert again.load() == {"position": (2, 0)}
    assert again.rows() == [{"epoch": 1, "CE": 2.5}, {"epoch": 2, "CE": 1.5}]
    assert "keeps the last good state" in again.describe()
    with pytest.raises(ValueError, match="is not finished; the command that began it continues it"):
        again.result  # noqa: B018


def test_a_full_disk_keeps_the_point_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with new(tmp_path) as run:
        run.save({"position": (1, 0)}, [{"epoch": 1}])
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            run.save({"position": (2, 0)}, [{"epoch": 1}, {"epoch": 2}])
    assert new(tmp_path).load() == {"position": (1, 0)}


def test_a_finished_run_says_what_came_out(tmp_path: Path) -> None:
    net, outcome = QuickNet(), {"top1": 71.5, "network": "small"}
    with new(tmp_path) as run:
        run.save({"position": (3, 0)}, [{"epoch": 3}])
        run.save_best(net, {"network": "small", "epoch": 2})
        assert not (run.folder / "result.json").exists()
        run.finish(net, {"network": "small"}, outcome)
    assert run.is_done
    assert run.result == read_result(run.folder) == outcome
    assert not (run.folder / "state.pt").exists()
    assert about_weights(run.folder / "best.safetensors") == {"network": "small", "epoch": 2}
    assert torch.equal(read_weights(run.folder / "student.safetensors")["head.bias"], net.head.bias)


def test_a_finished_runs_configuration_is_never_rewritten(tmp_path: Path) -> None:
    with new(tmp_path) as run:
        run.finish(QuickNet(), {}, {})
    changed = Run(tmp_path, "digits-my nets.py:small-seed0", {}, {"data": "elsewhere"})
    assert changed.folder == run.folder
    with changed:
        assert yaml.safe_load((run.folder / "config.yaml").read_text()) == run.config


def test_folders_without_a_result_say_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no run \(it has no result.json\)"):
        read_result(tmp_path)
    for damaged in ('{"top1": 7', "{}", "[]", "3"):
        (tmp_path / "result.json").write_text(damaged)
        with pytest.raises(ValueError, match=r"result.json is damaged .*; move .* away to train it anew"):
            read_result(tmp_path)


def test_damaged_metrics_are_named(tmp_path: Path) -> None:
    run = new(tmp_path)
    run.folder.mkdir()
    (run.folder / "metrics.jsonl").write_text(json.dumps({"epoch": 1}) + "\n{")
    with pytest.raises(ValueError, match=r"metrics.jsonl is damaged"):
        run.rows()


def test_a_place_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(OSError, match="Not a directory") as caught:
        new(tmp_path / "runs").__enter__()
    assert str(tmp_path / "runs") in str(caught.value.filename)


def test_tensorboard_gets_every_number_of_an_epoch(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with new(tmp_path) as run:
        for epoch in (1, 2):
            run.chart({"epoch": epoch, "phase": "distillation", "CE": 2.0 / epoch, "CTKD.temperature": 4.0})
    events = accumulator.EventAccumulator(str(run.folder)).Reload()
    assert sorted(events.Tags()["scalars"]) == ["CE", "CTKD/temperature"]
    assert [(event.step, event.value) for event in events.Scalars("CE")] == [(1, 2.0), (2, 1.0)]

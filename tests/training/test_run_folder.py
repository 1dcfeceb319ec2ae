"""A run's folder: its name, its lock, and what is in it at any moment."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from stillhouse.checkpoints import about_weights, read_weights
from stillhouse.training.run_files import Row, read_result
from stillhouse.training.run_folder import Run
from tests.helpers.networks import QuickNet

OUTCOME = {"top1": 71.5, "top5": 95.0, "test_loss": 0.75, "best_top1": 72.0, "best_epoch": 2, "network": "small"}


def row(epoch: int, **more: float) -> Row:
    measures = dict.fromkeys(("lr", "loss", "top1", "top5", "test_loss", "seconds"), 0.5)
    return {"epoch": epoch, "phase": "distillation", **measures, **more}


def new(root: Path, **identity: object) -> Run:
    return Run(root, "digits-my nets.py:small-seed0", identity, {"data": "digits", "epochs": 3, "milestones": [0.5]})


def test_the_folder_is_named_by_everything_that_the_outcome_depends_on(tmp_path: Path) -> None:
    first = new(tmp_path, seed=0, recipe={"lr": 0.1, "epochs": 2})
    assert first.folder.name.startswith("digits-my_nets.py_small-seed0-")
    assert first.folder == new(tmp_path, recipe={"epochs": 2, "lr": 0.1}, seed=0).folder
    assert first.folder != new(tmp_path, seed=1, recipe={"lr": 0.1, "epochs": 2}).folder
    assert not first.folder.exists()  # nothing is written before it begins


def test_the_folders_of_earlier_versions_keep_their_names(tmp_path: Path) -> None:
    """A run that is there already would else be trained again."""
    assert Run(tmp_path, "kd", {"seed": 1, "b": [1, None], "a": "x"}).folder.name == "kd-06379346"


def test_long_names_are_cut(tmp_path: Path) -> None:
    first, second = (Run(tmp_path, "+".join(["KD"] * 99), {"seed": seed}, {}) for seed in (0, 1))
    assert len(first.folder.name) < 200
    assert first.folder != second.folder


def test_the_configuration_is_there_from_the_beginning(tmp_path: Path) -> None:
    with new(tmp_path) as run:
        run.begin()
        assert yaml.safe_load((run.folder / "config.yaml").read_text()) == run.config
    assert list(run.config) == ["data", "epochs", "milestones"]


def test_two_processes_never_share_a_folder(tmp_path: Path) -> None:
    with new(tmp_path) as run:
        with pytest.raises(ValueError, match=rf"{run.folder.name} is in use by another process; wait for it"):
            new(tmp_path).__enter__()
        with new(tmp_path, seed=1):  # another run may continue beside it
            pass
    with new(tmp_path):  # and this one once it is free
        pass


def test_a_run_that_does_not_begin_leaves_nothing(tmp_path: Path) -> None:
    with new(tmp_path) as run:
        assert run.folder.is_dir()
    assert list(tmp_path.iterdir()) == []
    run.folder.mkdir()  # there before
    with new(tmp_path):
        pass
    assert [path.name for path in run.folder.iterdir()] == ["lock"]


def test_a_lock_that_was_removed_meanwhile_counts_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, flock = new(tmp_path), fcntl.flock

    def late(lock: int, operation: int) -> None:
        flock(lock, operation)
        (run.folder / "lock").unlink()  # by a run that did not begin

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(ValueError, match="in use by another process"):
        run.__enter__()


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


def test_only_our_own_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    run = new(tmp_path)
    run.folder.mkdir()
    ours = [".state.pt.x7f3_abc", ".metrics.jsonl.00000000", ".config.yaml.abcdefgh", ".student.safetensors.k2j3h4g5"]
    others = [
        ".config.yaml.swp",
        ".notes.txt.x7f3abcd",
        ".state.pt.orig",
        ".git",
        ".state.pt.x7f3_abc~",
        "state.pt.tmp",
    ]
    for name in [*ours, *others]:
        (run.folder / name).write_bytes(b"half")
    with run:
        run.begin()
        assert {path.name for path in run.folder.iterdir()} == {"config.yaml", "lock", *others}


def test_taking_a_folder_changes_nothing_in_it(tmp_path: Path) -> None:
    run = new(tmp_path)
    run.folder.mkdir()
    (run.folder / ".state.pt.x7f3_abc").write_bytes(b"half")
    (run.folder / "config.yaml").write_text("of another version")
    with run:
        assert (run.folder / "config.yaml").read_text() == "of another version"
        assert (run.folder / ".state.pt.x7f3_abc").exists()


@pytest.mark.parametrize("name", ["state.pt", "result.json", "metrics.jsonl", "config.yaml", "student.safetensors"])
def test_what_is_no_file_is_refused_before_anything_is_trained(tmp_path: Path, name: str) -> None:
    run = new(tmp_path)
    (run.folder / name).mkdir(parents=True)
    with pytest.raises(ValueError, match=rf"{name} is not a file; move it away, or choose another --folder"):
        run.__enter__()


def test_it_goes_on_from_the_last_point_saved(tmp_path: Path) -> None:
    with new(tmp_path) as run:
        assert run.load() is None
        assert run.rows() == []
        assert "nothing is kept" in run.describe()
        run.save({"position": (1, 0)}, [row(1, CE=2.5)])
        run.save({"position": (2, 0)}, [row(1, CE=2.5), row(2, CE=1.5)])
    again = new(tmp_path)
    assert again.load() == {"position": (2, 0)}
    assert again.rows() == [row(1, CE=2.5), row(2, CE=1.5)]
    assert "keeps the last good state" in again.describe()
    with pytest.raises(ValueError, match="is not finished; the command that began it continues it"):
        again.result  # noqa: B018


def test_a_full_disk_keeps_the_point_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with new(tmp_path) as run:
        run.save({"position": (1, 0)}, [row(1)])
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            run.save({"position": (2, 0)}, [row(1), row(2)])
    assert new(tmp_path).load() == {"position": (1, 0)}


def test_a_finished_run_says_what_came_out(tmp_path: Path) -> None:
    net = QuickNet()
    with new(tmp_path) as run:
        run.save({"position": (3, 0)}, [row(1), row(2), row(3)])
        run.save_best(net, {"network": "small", "epoch": 2})
        assert not (run.folder / "result.json").exists()
        run.finish(net, {"network": "small"}, OUTCOME)
    assert run.is_done
    assert run.result == read_result(run.folder) == OUTCOME
    assert not (run.folder / "state.pt").exists()
    assert about_weights(run.folder / "best.safetensors") == {"network": "small", "epoch": 2}
    assert torch.equal(read_weights(run.folder / "student.safetensors")["head.bias"], net.head.bias)


def test_a_finished_runs_configuration_is_never_rewritten(tmp_path: Path) -> None:
    with new(tmp_path) as run:
        run.begin()
        run.finish(QuickNet(), {}, OUTCOME)
    changed = Run(tmp_path, "digits-my nets.py:small-seed0", {}, {"data": "elsewhere"})
    assert changed.folder == run.folder
    with changed:
        changed.begin()
        assert yaml.safe_load((run.folder / "config.yaml").read_text()) == run.config


def test_an_outcome_without_its_network_is_no_finished_run(tmp_path: Path) -> None:
    with new(tmp_path) as run:
        run.finish(QuickNet(), {}, OUTCOME)
        assert run.is_done
    (run.folder / "student.safetensors").unlink()
    with pytest.raises(ValueError, match=r"student.safetensors is missing or cut off; restore it, or move .* away"):
        new(tmp_path).is_done  # noqa: B018


def test_a_place_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(OSError, match="Not a directory") as caught:
        new(tmp_path / "runs").__enter__()
    assert str(tmp_path / "runs") in str(caught.value.filename)


def test_a_student_whose_outcome_is_gone_is_not_replaced(tmp_path: Path) -> None:
    run, net = new(tmp_path), QuickNet()
    with run:
        run.begin()
        run.finish(net, {"network": "small"}, OUTCOME)
    (run.folder / "result.json").unlink()
    again = new(tmp_path)
    with again, pytest.raises(ValueError, match=r"is there, but result.json is missing; restore it, or move .* away"):
        again.begin()
    (run.folder / "state.pt").write_bytes(b"")  # killed between the student and its outcome
    with again:
        again.begin()

"""`stillhouse runs`: what lies there is listed, an unfinished run goes on, and nothing is removed by mistake."""

import fcntl
import os
import shutil
import signal
from pathlib import Path

import pytest

from stillhouse.__main__ import main
from stillhouse.training.progress import Display
from tests.helpers.commands import World, contents, done, only, refusal

Capture = pytest.CaptureFixture[str]


def interrupted(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, *more: str) -> None:
    """Begin a distillation, and interrupt it in its second epoch."""
    original = Display.epoch

    def interrupt(display: Display, room: object, epoch: int, steps: int, start: int = 0) -> None:
        original(display, room, epoch, steps, start)  # type: ignore[arg-type]
        if epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Display, "epoch", interrupt)
        refusal(capsys, world.distill(folder, "--methods", "CE,KD", *more, epochs=3))


def stopped(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, *more: str) -> Path:
    """Return the folder of a distillation that was interrupted in its second epoch."""
    interrupted(world, folder, monkeypatch, capsys, "--baseline", "false", *more)
    return only(folder, "pictures")


def test_a_distillation_is_offered_that_resumes_its_baseline_as_well(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(world, tmp_path / "runs", monkeypatch, capsys)
    monkeypatch.chdir(tmp_path)
    (taught,) = (path for path in Path("runs").glob("pictures*") if "-from-" in path.name)
    with (taught / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "2 runs, 1 in training, 1 unfinished, " in done(capsys, ["runs"])
    out = done(capsys, ["runs"])
    assert "2 runs, 2 unfinished, " in out
    assert f"to go on: stillhouse runs resume {taught}" in out
    assert "a distillation also resumes the runs of its own teacher and of its student by itself" in out
    with monkeypatch.context() as patch:
        patch.chdir(world.root)
        done(capsys, ["runs", "resume", str(tmp_path / taught)])
    assert "2 runs, 0 unfinished, " in done(capsys, ["runs"])


def test_runs_are_listed_resumed_and_removed(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = world.distill(tmp_path / "whole", "--methods", "CE,KD", "--baseline", "false", epochs=3)
    done(capsys, whole)
    run = stopped(world, tmp_path / "runs", monkeypatch, capsys)
    monkeypatch.chdir(tmp_path)
    out = done(capsys, ["runs"])
    (line,) = (line for line in out.splitlines() if line.strip().startswith(run.name))
    assert "1/3" in line
    assert "1 run, 1 unfinished, 0." in out
    assert f"to go on: stillhouse runs resume runs/{run.name}" in out
    assert "is finished" in refusal(capsys, ["runs", "resume", str(only(tmp_path / "whole", "pictures"))])

    with monkeypatch.context() as patch:
        patch.chdir(world.root)  # code outside of the current folder is not run
        assert "resumes at epoch 2 of 3, step 2" in done(capsys, ["runs", "resume", str(run)])
    student = "student.safetensors"
    assert (run / student).read_bytes() == (only(tmp_path / "whole", "pictures") / student).read_bytes()
    (line,) = (line for line in done(capsys, ["runs", "runs"]).splitlines() if run.name in line)
    assert "3 done" in line

    before = contents(tmp_path)
    said = refusal(capsys, ["runs", "rm", run.name])
    assert f"would remove runs/{run.name} (3 done, 0." in said
    assert "add --yes" in said
    assert contents(tmp_path) == before
    with monkeypatch.context() as several:
        several.setenv("WORLD_SIZE", "2")
        assert "`stillhouse runs rm` is the work of one process" in refusal(capsys, ["runs", "rm", run.name, "--yes"])
    assert f"removed runs/{run.name}" in done(capsys, ["runs", "rm", run.name[-8:], "--yes"])
    assert not run.exists()
    assert "there is no run in runs" in refusal(capsys, ["runs"])


def test_a_renamed_run_is_told_its_name_and_resumed_by_the_hash_in_it(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world.root)
    run = stopped(world, tmp_path / "runs", monkeypatch, capsys)
    mine = run.rename(run.with_name("mine"))
    before = contents(tmp_path)
    said = refusal(capsys, ["runs", "resume", str(mine)])
    assert f"{mine} was renamed, and a run is recognised by the hash at the end of its name" in said
    assert said.strip().endswith(f"mv {mine} {run}")
    assert contents(tmp_path) == before
    shutil.copytree(mine, run)
    assert f"{mine} is a copy of {run}" in refusal(capsys, ["runs", "resume", str(mine)])
    (mine / "state.pt").unlink()  # as where it was interrupted before the first save
    assert "give it its old name, which no file in it says" in refusal(capsys, ["runs", "resume", str(mine)])

    short = run.rename(run.with_name(f"mine-{run.name[-8:]}"))
    assert "resumes at epoch 2 of 3, step 2" in done(capsys, ["runs", "resume", str(short)])
    assert (short / "student.safetensors").exists()
    assert not run.exists()


def test_a_run_that_would_be_another_one_is_not_begun(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world.root)
    run = stopped(world, tmp_path / "runs", monkeypatch, capsys)
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("lr: 0.05", "lr: 0.06"))
    said = refusal(capsys, ["runs", "resume", str(run)])
    assert f"{run} cannot be resumed, because its data, code, weights or number of processes have changed since" in said
    assert [path.name for path in (tmp_path / "runs").glob("pictures*")] == [run.name]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "there is no folder nowhere"),
        (["a", "b"], "lists one folder, not 2"),
        (["resum", "a"], "or stillhouse runs rm RUN ... --yes. Did you mean resume?"),
        (["rm"], "stillhouse runs rm needs the folder of a run"),
        (["resume"], "stillhouse runs resume needs the folder of a run"),
        (["resume", "nothing"], "nothing is not the folder of a run; stillhouse runs lists them"),
        (["rm", ".", "--yes"], ". is not the folder of a run"),
        (["rm", "", "--yes"], "stillhouse runs rm needs the folder of a run"),
        (
            ["lst"],
            "there is no folder lst; runs are kept in --folder, which is runs if it is not given. Did you mean list",
        ),
        (["list", "a", "--folder", "b"], "lists one folder, not 2"),
        (["--no"], "stillhouse runs does not take --no"),
    ],
)
def test_words_that_make_no_sense_are_refused(
    words: list[str], said: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in refusal(capsys, ["runs", *words])


def runs_in(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "config.yaml").write_text("model: resnet8\n")
        (folder / name / "lock").touch()
    return folder


def test_runs_are_listed_found_and_removed_in_another_folder(tmp_path: Path, capsys: Capture) -> None:
    kept = str(runs_in(tmp_path / "kept", "digits-resnet8-lr0.1", "digits-resnet14"))
    for words in ([kept], ["list", kept], ["ls", "--folder", kept]):
        assert "2 runs, 2 unfinished" in done(capsys, ["runs", *words])
    said = refusal(capsys, ["runs", "rm", "--folder", kept, "resnet8", "resnet14", "lr0.1"])
    assert said.count("digits-resnet8-lr0.1") == 1
    assert done(capsys, ["runs", "rm", "--folder", kept, "resnet8", "lr0.1", "--yes"]).count("removed") == 1
    assert [path.name for path in Path(kept).iterdir()] == ["digits-resnet14"]


def test_it_is_said_why_a_run_is_damaged(tmp_path: Path, capsys: Capture) -> None:
    runs_in(tmp_path, "one")
    (tmp_path / "one" / "metrics.jsonl").write_text("no\n")
    out = done(capsys, ["runs", str(tmp_path)])
    assert "note: " in out
    assert "metrics.jsonl is damaged (" in out
    runs_in(tmp_path, "two")
    (tmp_path / "two" / "result.json").write_text("{")
    assert "two/result.json is damaged (" in refusal(capsys, ["runs", "resume", str(tmp_path / "two")])


def test_what_was_not_meant_is_not_removed(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs_in(tmp_path / "runs", "digits-resnet8-lr0.1")
    (tmp_path / "link").symlink_to(tmp_path / "runs" / "digits-resnet8-lr0.1")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "config.yaml").write_text("mine: 1\n")
    before = contents(tmp_path)
    assert ". is not the folder of a run" in refusal(capsys, ["runs", "rm", ".", "--yes"])
    assert "link is a link to " in refusal(capsys, ["runs", "rm", "link", "--yes"])
    assert "nothing else of a run, so it stays" in refusal(capsys, ["runs", "rm", "project", "--yes"])
    assert contents(tmp_path) == before


def test_help_says_that_no_word_is_needed(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["runs", "--help"])
    out = capsys.readouterr().out
    assert "rm RUN ..." in out
    assert "required" not in out


def test_a_run_that_is_being_trained_stays(world: World, capsys: Capture) -> None:
    with (world.teacher / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "is in use by another process" in refusal(capsys, ["runs", "rm", str(world.teacher), "--yes"])
        assert " now" not in done(capsys, ["runs", str(world.runs)])  # it is finished all the same
    assert world.teacher.exists()

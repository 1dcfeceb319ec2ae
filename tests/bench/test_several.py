"""A distillation of several students or seeds is a bench, whose runs are those of single distillations."""

from pathlib import Path

import pytest

from stillhouse.training.teachers.weights_file import weights_in
from tests.helpers.commands import World, done, refusal

Capture = pytest.CaptureFixture[str]


def runs(folder: Path) -> dict[str, bytes]:
    """Return the files of the students, and of their measurements, by the names of the runs."""
    return {
        run.name: weights_in(run).read_bytes() + (run / "predictions.safetensors").read_bytes()
        for run in folder.iterdir()
        if (run / "result.json").exists()
    }


def test_several_students_and_seeds_are_those_of_single_commands(world: World, tmp_path: Path, capsys: Capture) -> None:
    together = world.distill(tmp_path / "a", "--methods", "CE + KD; CE, AT", "--seeds", "0,1", epochs=1)
    out = done(capsys, together)
    assert "bench: 1 pair x 3 methods x 2 seeds: 6 students, 0 trained before, 6 to train" in out
    table = out[out.rindex("method") :]
    assert all(f"{name} " in table for name in ("CE", "CE + KD", "CE + AT"))
    assert out.count("student: ") == 4
    for seed in ("0", "1"):
        for methods in ("CE,KD", "CE + AT"):
            done(capsys, world.distill(tmp_path / "b", "--methods", methods, "--seed", seed, epochs=1))
    assert runs(tmp_path / "a") == runs(tmp_path / "b")
    assert len(runs(tmp_path / "a")) == 6
    assert "6 trained before, nothing to train" in done(capsys, together)


def test_methods_may_be_typed_several_times(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["--methods", "CE", "--methods=KD", "--baseline", "false"]
    assert "1 pair x 2 methods x 1 seed" in done(capsys, world.distill(tmp_path, *words, epochs=1))


def test_one_student_is_said_to_have_a_sum(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["--methods", "CE(weight=0.5),KD,AT", "--baseline", "false"]
    out = done(capsys, world.distill(tmp_path, *words, epochs=1))
    assert "one student with the loss 0.5 CE + 0.9 KD + 1000 AT (to compare them, one student each, " in out
    assert "type for example --methods 'CE + KD; CE + AT')" in out
    out = done(capsys, world.distill(tmp_path, "--methods", "CE,KD", "--baseline", "false", epochs=1))
    assert "one student with the loss 1 CE + 0.9 KD\n" in out


def test_terms_of_several_students_are_in_their_files(world: World, tmp_path: Path, capsys: Capture) -> None:
    said = refusal(capsys, world.distill(tmp_path, "--methods", "KD; AT", "--seeds", "2", "--terms", "all"))
    assert "--terms all is for one student, not 4: see each run's metrics.jsonl" in said
    assert not [*tmp_path.iterdir()]


def test_what_makes_one_student_takes_no_semicolon(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["grid", *world.distill(tmp_path, "--methods", "CE; KD", "--grid", "lr=0.1", epochs=1)[1:]]
    assert "makes several students, and here there is one" in refusal(capsys, words)
    assert "--seeds must be" in refusal(capsys, world.distill(tmp_path, "--seeds", "0,0"))

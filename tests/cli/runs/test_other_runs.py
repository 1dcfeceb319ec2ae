"""A training for other epochs than before is said to be another one, and its weights are a way to go on."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.helpers.commands import World, done, only

Capture = pytest.CaptureFixture[str]


def test_more_epochs_are_another_run_and_the_way_on_works(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["train", "--model", f"{world.nets}:wide", "--lr", "1e-12"]
    done(capsys, [*words, *world.small(tmp_path, 1)])
    before = only(tmp_path)
    out = done(capsys, [*words, *world.small(tmp_path, 2), "--seed", "3"])
    assert "note:" not in out  # that is another seed, not another number of epochs
    config = before / "config.yaml"
    config.write_text(config.read_text().replace("train_fraction: 1.0\n", ""))  # as version 0.1.0 wrote it
    assert "note:" not in done(capsys, [*words, *world.small(tmp_path, 2), "--train_fraction", "0.5"])
    out = done(capsys, [*words, *world.small(tmp_path, 2), "--device", "auto"])
    assert f"note: {before} is the same training for 1 epoch; with another --epochs it is another run, which" in out
    (option, weights) = re.findall(r"to continue from its weights instead, add (--weights) (\S+)", out)[0]
    assert "note:" not in done(capsys, [*words, *world.small(tmp_path, 2)])  # done before
    trained = load_file(weights)
    out = done(capsys, [*words, *world.small(tmp_path / "on", 2), option, weights, "--seed", "5"])
    on = load_file(only(tmp_path / "on") / "model.safetensors")
    assert torch.allclose(on["head.weight"], trained["head.weight"])  # at this rate nothing else was learned


def test_students_and_teachers_have_ways_of_their_own(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["distill", "--teacher", f"{world.nets}:wide", "--student", f"{world.nets}:small", "--baseline", "false"]
    done(capsys, [*words, *world.small(tmp_path, 4)])
    teacher, student = only(tmp_path, "pictures-my_nets.py_wide"), only(tmp_path, "pictures-my_nets.py_small")
    out = done(capsys, [*words, *world.small(tmp_path, 5)])
    assert f"to use that teacher as it is, add --teacher {teacher}" in out
    assert f"to continue from its weights instead, add --student_weights {student}/student.safetensors" in out


def test_what_a_method_adds_to_a_student_is_no_way_on(world: World, tmp_path: Path, capsys: Capture) -> None:
    simkd = ["--methods", "SimKD", "--baseline", "false"]
    done(capsys, world.distill(tmp_path, *simkd, epochs=1))
    out = done(capsys, world.distill(tmp_path, *simkd, epochs=2))
    assert "is the same training for 1 epoch" in out
    assert "--student_weights" not in out


def test_damaged_configurations_are_passed_over(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["train", "--model", f"{world.nets}:small"]
    done(capsys, [*words, *world.small(tmp_path, 1)])
    for epochs, text in enumerate(("epochs: [1\n", "- 1\n", "epochs: many\n", "\udcff"), 2):
        for config in tmp_path.glob("*/config.yaml"):
            config.write_bytes(text.encode(errors="surrogateescape"))
        assert "note:" not in done(capsys, [*words, *world.small(tmp_path, epochs)])


def test_an_unfinished_run_that_differs_in_one_option_is_named(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["train", "--model", f"{world.nets}:small", *world.small(tmp_path, 2)]
    done(capsys, [*words, "--lr", "0.1"])
    before = only(tmp_path)
    assert "is unfinished" not in done(capsys, [*words, "--lr", "0.2"])
    (before / "result.json").unlink()
    (before / "state.pt").write_bytes(b"some state")
    out = done(capsys, [*words, "--lr", "0.3"])
    assert f"note: {before} is unfinished and differs only in lr (0.1; here 0.3): this is another run, and" in out
    assert f"'stillhouse runs resume {before}' continues that one" in out
    assert "is unfinished" not in done(capsys, [*words, "--lr", "0.4", "--seed", "7"])

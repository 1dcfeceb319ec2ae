"""The file of a run's weights is named by what it holds, and old runs keep their names."""

import json
from pathlib import Path

import pytest
import torch

from stillhouse.checkpoints import load_weights, save_weights
from stillhouse.models import zoo
from stillhouse.training.run_files import dump_result
from stillhouse.training.teachers.weights_file import MODEL, STUDENT, weights_at, weights_in
from tests.helpers.commands import World, done, only, refusal

Capture = pytest.CaptureFixture[str]


def test_a_folder_has_the_one_or_the_other(tmp_path: Path) -> None:
    assert weights_in(tmp_path) == tmp_path / STUDENT
    assert weights_at(tmp_path) == tmp_path
    (tmp_path / MODEL).touch()
    assert weights_in(tmp_path) == weights_at(tmp_path) == tmp_path / MODEL
    assert weights_at(tmp_path / MODEL) == tmp_path / MODEL
    (tmp_path / STUDENT).touch()
    with pytest.raises(ValueError, match=r"holds model\.safetensors and student\.safetensors, and a run has one"):
        weights_in(tmp_path)


def test_weights_load_from_either_folder(tmp_path: Path) -> None:
    saved, loaded = zoo("resnet8", 5), zoo("resnet8", 5)
    with torch.no_grad():
        saved.conv1.weight.fill_(0.25)  # type: ignore[union-attr, operator]
    for name in (MODEL, STUDENT):
        (folder := tmp_path / name).mkdir()
        save_weights(saved, folder / name, {})
        load_weights(loaded, folder)
        assert torch.equal(loaded.state_dict()["conv1.weight"], saved.state_dict()["conv1.weight"])


def test_the_old_name_of_a_new_run_is_told_the_new_one(tmp_path: Path) -> None:
    save_weights(zoo("resnet8", 5), tmp_path / MODEL, {})
    with pytest.raises(ValueError, match=r"student\.safetensors; the network of that run is in model\.safetensors"):
        load_weights(zoo("resnet8", 5), tmp_path / STUDENT)


def test_a_teacher_of_0_1_0_is_used_and_not_trained_again(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["train", "--model", f"{world.nets}:small", *world.small(tmp_path, 1)]
    done(capsys, words)
    run = only(tmp_path)
    assert (run / MODEL).is_file()
    assert not (run / STUDENT).exists()
    result = {key: value for key, value in json.loads((run / "result.json").read_text()).items() if key != "checksums"}
    (run / MODEL).rename(run / STUDENT)
    (run / "result.json").write_bytes(dump_result(run, result))
    assert "already trained" in done(capsys, words)
    first = done(capsys, ["evaluate", str(run), "--data", str(world.pictures), "--device", "cpu"])
    typed = [f"{world.nets}:small", "--weights", str(run / STUDENT), "--data", str(world.pictures), "--device", "cpu"]
    assert first.splitlines()[-1].split()[-3:] == done(capsys, ["evaluate", *typed]).splitlines()[-1].split()[-3:]
    (run / STUDENT).unlink()
    assert f"{run / STUDENT} is missing or cut off" in refusal(capsys, words)

"""`stillhouse evaluate`: the number that the run said, or a refusal."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.helpers.commands import World, done, only, refusal
from tests.helpers.pictures import write_pictures

Capture = pytest.CaptureFixture[str]


def test_evaluate_prints_the_result_of_the_run(world: World, tmp_path: Path, capsys: Capture) -> None:
    weights = tmp_path / "weights.pth"
    torch.save(load_file(world.teacher / "model.safetensors"), weights)
    top1 = json.loads((world.teacher / "result.json").read_text())["top1"]
    data = ["--data", str(world.pictures), "--device", "cpu"]
    for model in ([str(world.teacher)], [f"{world.nets}:wide", "--weights", str(weights)]):
        out = done(capsys, ["evaluate", *model, *data])
        assert f"{top1:.2f}" in out
        assert "24 images" in out


def test_a_file_may_be_evaluated_alone_unless_it_wants_to_run_code(
    world: World, tmp_path: Path, capsys: Capture
) -> None:
    data = ["--data", str(world.pictures), "--device", "cpu"]
    done(capsys, ["train", "--model", "resnet8", *world.small(tmp_path, 1)])
    done(capsys, ["evaluate", str(only(tmp_path) / "best.safetensors"), *data])
    outputs = refusal(capsys, ["evaluate", str(world.teacher / "best.safetensors"), *data])
    assert "best.safetensors executes " in outputs
    assert "if you trust it, give " in outputs


def test_evaluate_refuses_what_it_cannot_measure(world: World, tmp_path: Path, capsys: Capture) -> None:
    data = ["--data", str(world.pictures), "--device", "cpu"]
    renamed = write_pictures(tmp_path / "renamed", ("ant", "bee", "dog"))
    outputs = refusal(capsys, ["evaluate", str(world.teacher), "--data", str(renamed)])
    assert "the network " in outputs
    assert "was not trained on these classes (it does not know dog)" in outputs
    few = write_pictures(tmp_path / "few", ("ant", "cat"))
    outputs = refusal(capsys, ["evaluate", str(world.teacher), "--data", str(few)])
    assert "predicts 3 classes, but the data have 2, without bee; add images of every class, or " in outputs
    (tmp_path / "names.txt").write_text("ant\nbee\ncat\n")
    out = done(capsys, ["evaluate", str(world.teacher), "--data", str(few), "--classes", str(tmp_path / "names.txt")])
    assert "; it chooses among these 2 of its 3 only" in out
    assert "is a network without weights; give its --weights" in refusal(capsys, ["evaluate", "resnet8", *data])
    outputs = refusal(capsys, ["evaluate", str(world.teacher), *data, "--weights", "x.pth"])
    assert "already has weights; leave out --weights" in outputs


def test_a_run_of_another_size_than_the_images_is_measured_at_its_own(
    world: World, tmp_path: Path, capsys: Capture
) -> None:
    done(capsys, ["train", "--model", f"{world.nets}:small", *world.small(tmp_path / "runs"), "--image_size", "24"])
    run = only(tmp_path / "runs")
    top1 = json.loads((run / "result.json").read_text())["top1"]
    moved = Path(shutil.copytree(world.pictures, tmp_path / "moved"))
    alone = [f"{world.nets}:small", "--weights", str(shutil.copy(run / "model.safetensors", tmp_path))]
    for network, place in (([str(run)], world.pictures), ([str(run)], moved), (alone, moved)):
        out = done(capsys, ["evaluate", *network, "--data", str(place), "--device", "cpu"])
        assert "24x24 pixels" in out
        assert f"{top1:.2f}" in out
    words = ["evaluate", str(run), "--data", str(moved), "--image_size", "16", "--device", "cpu"]
    said = " ".join(done(capsys, words).split())
    assert (
        "was trained on images of 24 px, but these have 16; --image_size 24 gives it the size that it was trained on"
        in said
    )


def test_a_folder_with_the_name_of_a_network_is_not_taken_for_it(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resnet8").mkdir()
    outputs = refusal(capsys, ["evaluate", "resnet8", "--data", str(world.pictures)])
    assert "resnet8 is a network without weights" in outputs

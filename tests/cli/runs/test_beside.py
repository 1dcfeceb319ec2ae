"""Networks beside a run: found where its configuration says, or by what the user types."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stillhouse.cli.runs.beside import baseline_of, distillation, network_at, teacher_of
from stillhouse.training.progress import Display
from tests.helpers.commands import World, done, only

Capture = pytest.CaptureFixture[str]


def test_teacher_and_baseline_of_a_distillation_are_found(world: World, tmp_path: Path, capsys: Capture) -> None:
    done(capsys, world.distill(tmp_path, epochs=1))
    run = only(tmp_path, "pictures-my_nets.py_small-from")
    distilled = distillation(run, {})
    assert distilled is not None
    data = distilled.run.load(Display())
    beside = baseline_of(distilled, data)
    assert beside == only(tmp_path, "pictures-my_nets.py_small-seed")
    teacher = teacher_of(distilled, data, torch.device("cpu"), Display())
    assert teacher.short.endswith("wide")
    shutil.rmtree(beside)
    assert baseline_of(distilled, data) is None


def test_a_teacher_that_was_trained_for_it_is_found_whatever_its_length(
    world: World, tmp_path: Path, capsys: Capture
) -> None:
    words = world.distill(tmp_path, epochs=1)
    words[words.index("--teacher") + 1] = f"{world.nets}:wide"
    done(capsys, [*words, "--teacher_epochs", "2", "--trust_teacher", "true"])
    distilled = distillation(only(tmp_path, "pictures-my_nets.py_small-from"), {})
    assert distilled is not None
    data = distilled.run.load(Display())
    found = teacher_of(distilled, data, torch.device("cpu"), Display())
    (weights,) = tmp_path.glob("pictures-my_nets.py_wide-*epochs2*/model.safetensors")
    assert load_file(weights).keys() == found.net.model.state_dict().keys()
    assert all(torch.equal(value, found.net.model.state_dict()[name]) for name, value in load_file(weights).items())
    assert done(capsys, ["evaluate", str(only(tmp_path, "pictures-my_nets.py_small-from")), "--device", "cpu"])


def test_a_network_that_learned_by_itself_is_no_distillation(world: World, tmp_path: Path) -> None:
    assert distillation(world.teacher, {}) is None
    assert distillation(tmp_path, {}) is None


def test_a_file_of_weights_is_of_the_other_network(world: World, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"
    torch.save(load_file(world.teacher / "model.safetensors"), weights)
    found = network_at(str(weights), f"{world.nets}:wide")
    assert (found.source.name, found.source.weights) == (f"{world.nets}:wide", str(weights))
    assert network_at(str(world.teacher), "resnet8").source.name.endswith(":wide")
    with pytest.raises(ValueError, match="resnet8 is a network without weights"):
        network_at("resnet8", "resnet20")

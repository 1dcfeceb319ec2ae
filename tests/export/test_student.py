"""Trained networks, opened with their classes and steps."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from stillhouse.checkpoints import about_weights
from stillhouse.export.student import classes_of, open_student
from stillhouse.models.spec import NetworkSource
from tests.helpers.commands import World


def test_a_run_and_a_file_by_the_network_s_name_are_the_same_student(world: World) -> None:
    notes: list[str] = []
    run = open_student(NetworkSource(str(world.teacher)), notes.append)
    file = open_student(NetworkSource(f"{world.nets}:wide", str(world.teacher / "model.safetensors")), notes.append)
    assert notes == []
    assert run.folder == world.teacher
    assert run.classes == file.classes == ("ant", "bee", "cat")
    assert run.steps == file.steps
    assert (run.short, run.weights_hash) == ("my_nets.py:wide", file.weights_hash)
    pixels = torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8)
    assert torch.equal(run.probabilities(pixels), file.probabilities(pixels))
    assert torch.allclose(run.probabilities(pixels).sum(1), torch.ones(5))


def test_opening_leaves_the_caller_s_random_numbers_alone(world: World) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    open_student(NetworkSource(str(world.teacher)), str)
    assert torch.equal(torch.rand(1), expected)


def test_a_network_that_ends_in_a_softmax_gets_no_second_one(world: World, tmp_path: Path) -> None:
    (tmp_path / "soft.py").write_text(
        "from torch import nn\nfrom tests.helpers.networks import QuickNet\n\n\nclass Net(QuickNet):\n"
        "    def forward(self, images):\n        return super().forward(images).softmax(1)\n"
        "\n\ndef net(num_classes):\n    return Net(num_classes, 8)\n"
    )
    plain = open_student(NetworkSource(str(world.teacher)), str)
    soft = open_student(NetworkSource(f"{tmp_path}/soft.py:net", str(world.teacher / "model.safetensors")), str)
    pixels = torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8)
    assert torch.allclose(plain.probabilities(pixels), soft.probabilities(pixels), atol=1e-6)


def test_files_that_do_not_say_enough_are_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a network without weights"):
        open_student(NetworkSource("resnet8"), str)
    weights = load_file(world.teacher / "model.safetensors")
    about = about_weights(world.teacher / "model.safetensors")
    for damage, why in (
        ({"classes": None}, "does not name its classes"),
        ({"classes": ["a", "a", "b"]}, "names a class twice"),
        ({"classes": ["a", "b", "c", "d"]}, "a head for 3 classes"),
        ({"mean": None}, "does not say how its images were made"),
    ):
        save_file(weights, tmp_path / "odd.safetensors", {"stillhouse": json.dumps(about | damage)})
        with pytest.raises(ValueError, match=why):
            open_student(NetworkSource(f"{world.nets}:wide", str(tmp_path / "odd.safetensors")), str)


def test_a_file_apart_from_its_run_does_not_run_code(world: World) -> None:
    with pytest.raises(ValueError, match=r"if you trust it, give .* as the network"):
        open_student(NetworkSource(str(world.teacher / "model.safetensors")), str)


def test_classes_are_names() -> None:
    assert classes_of({"classes": ["b", "a"]}, "file") == ("b", "a")
    with pytest.raises(ValueError, match="does not name its classes"):
        classes_of({"classes": [1, 2]}, "file")

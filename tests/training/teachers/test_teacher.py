"""Where trained networks come from, and whether they can teach."""

from pathlib import Path

import pytest
import torch

from stillhouse.anatomy import Anatomy
from stillhouse.checkpoints import about_weights, save_weights
from stillhouse.cli.build import about
from stillhouse.data import load
from stillhouse.models.create import network
from stillhouse.models.spec import NetworkSource
from stillhouse.training.progress import Display
from stillhouse.training.teachers.examine import examine
from stillhouse.training.teachers.teacher import trained
from tests.helpers.commands import World

CPU = torch.device("cpu")


def test_a_trained_network_comes_from_a_run(world: World) -> None:
    data = load(world.pictures, batch_size=16)
    found = trained(str(world.teacher), data, None, CPU)
    assert found.name == f"{world.nets}:wide"
    assert found.about == about_weights(world.teacher / "student.safetensors")
    assert not found.net.model.training
    given = trained(str(world.teacher), data, Anatomy(stages=("stage1",)), CPU)
    assert given.net.anatomy.stages == ("stage1",)


def test_a_file_alone_is_trained_unless_it_names_code(world: World, tmp_path: Path) -> None:
    data, file = load(world.pictures, batch_size=16), tmp_path / "student.safetensors"
    save_weights(network("resnet8", 3, 16), file, about(NetworkSource("resnet8"), data))
    assert trained(str(file), data, None, CPU).name == "resnet8"
    for code in (f"{world.nets}:wide", "os:abort"):
        save_weights(network("resnet8", 3, 16), file, {"network": code})
        with pytest.raises(ValueError, match=rf"loading .* executes {code}; if you trust it, give {code}"):
            trained(str(file), data, None, CPU)
    save_weights(network("resnet8", 3, 16), file, {})
    with pytest.raises(
        ValueError, match=r"does not say which network it holds; give the network by its name, and the f"
    ):
        trained(str(file), data, None, CPU)


def test_a_teacher_is_examined_in_the_precision_it_teaches_in(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    data, display = load(world.pictures, batch_size=16), Display()
    teacher = trained(str(world.teacher), data, None, CPU)
    exact = examine(teacher, None, CPU, data, display)
    assert capsys.readouterr().out == ""
    rough = examine(teacher, torch.bfloat16, CPU, data, display)
    assert exact is not None
    assert rough is not None
    assert "teacher in bfloat16" in capsys.readouterr().out
    assert teacher.net.precision == torch.bfloat16
    assert torch.equal(teacher.scores(data.test, CPU).logits, rough.logits)
    assert not torch.equal(exact.logits, rough.logits)
    torch.testing.assert_close(exact.logits, rough.logits, rtol=0.05, atol=0.1)

"""Where trained networks come from, and whether they can teach."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from stillhouse.anatomy import Anatomy
from stillhouse.checkpoints import about_weights, save_weights
from stillhouse.cli.runs.build import about
from stillhouse.data import load
from stillhouse.models.create import network
from stillhouse.models.input_spec import InputSpec
from stillhouse.models.spec import NetworkSource
from stillhouse.training.progress import Display
from stillhouse.training.teachers.examine import examine
from stillhouse.training.teachers.located import locate
from stillhouse.training.teachers.teacher import prepare, trained
from tests.helpers.commands import World

CPU = torch.device("cpu")


def test_a_trained_network_comes_from_a_run(world: World) -> None:
    data = load(world.pictures, batch_size=16)
    found = trained(str(world.teacher), data, None, CPU)
    assert found.name == f"{world.nets}:wide"
    assert found.about == about_weights(world.teacher / "model.safetensors")
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
    with pytest.raises(ValueError, match=r"does not say which network it holds; give the network by name, and the f"):
        trained(str(file), data, None, CPU)


def test_a_file_without_a_head_gets_one_for_the_classes_that_are_named_drawn_by_the_seed(
    world: World, tmp_path: Path
) -> None:
    data, file = load(world.pictures, batch_size=16), tmp_path / "backbone.safetensors"
    weights = network(f"{world.nets}:wide", 3, 16).state_dict()
    save_file({name: value for name, value in weights.items() if not name.startswith("head.")}, file)

    def head(*seed: int, classes: tuple[str, ...] | None = None, others: str = "the data have 3 classes") -> Tensor:
        source = NetworkSource(f"{world.nets}:wide", str(file), classes=classes)
        teacher = prepare(locate(source), data, CPU, *seed)
        assert teacher.net.foreign_logits == f"has no head in {file}, but {others}"
        return teacher.net.model.get_parameter("head.weight")

    assert torch.equal(head(0), head())
    assert not torch.equal(head(0), head(1))
    assert len(head()) == 3
    assert len(head(classes=tuple("abcde"), others="5 classes are named")) == 5


def test_a_teacher_of_another_number_of_classes_keeps_its_head(world: World, tmp_path: Path) -> None:
    data, file = load(world.pictures, batch_size=16), tmp_path / "seven.safetensors"
    seven = network(f"{world.nets}:wide", 7, 16)
    save_weights(seven, file, {})
    teacher = prepare(locate(NetworkSource(f"{world.nets}:wide", str(file))), data, CPU)
    assert torch.equal(teacher.net.model.get_parameter("head.weight"), seven.get_parameter("head.weight"))
    assert teacher.net.foreign_logits == f"has a head for 7 classes in {file}, but the data have 3 classes"


def test_a_teacher_that_always_predicts_the_same_number_of_classes_is_told_from_one_of_the_datas(
    world: World, tmp_path: Path
) -> None:
    data, code = load(world.pictures, batch_size=16), tmp_path / "fixed.py"
    code.write_text(Path(world.nets).read_text() + "\n\ndef seven(num_classes):\n    return wide(7)\n")
    save_weights(network(f"{code}:seven", 3, 16), tmp_path / "seven.safetensors", {})
    source = NetworkSource(f"{code}:seven", str(tmp_path / "seven.safetensors"))
    teacher = prepare(locate(source), data, CPU)
    assert teacher.net.foreign_logits == "predicts 7 classes, but the data have 3"
    with pytest.raises(ValueError, match=r"the network .*:seven predicts 7 classes, but the data have 3"):
        prepare(locate(source), data, CPU, option="--weights")


def test_a_teacher_that_was_trained_on_images_of_another_size_is_refused_unless_that_is_asked_for(world: World) -> None:
    data, said = load(world.pictures, batch_size=16, image_size=24), list[str]()
    bare = NetworkSource(str(world.teacher))
    with pytest.raises(ValueError, match="trained on images of 16 px, but these have 24; give --image_size 16, or"):
        prepare(locate(bare), data, CPU)
    asked = replace(bare, input=InputSpec.typed(None, None, 24, "teacher_"))
    prepare(locate(asked), data, CPU, say=said.append)
    assert any("was trained on images of 16 px and gets 24 px, as the options say" in note for note in said)


def test_a_teacher_is_given_images_as_its_library_normalises_them(world: World, tmp_path: Path) -> None:
    data, said, file = load(world.pictures, batch_size=16, image_size=32), list[str](), tmp_path / "vit.pth"
    net = network("timm:test_vit", 3, 32, seed=1).eval()
    torch.save(net.state_dict(), file)
    teacher = prepare(locate(NetworkSource("timm:test_vit", str(file))), data, CPU, say=said.append)
    assert any("takes images with mean 0.5 and std 0.5 (timm, the usual ones for it" in note for note in said)
    pixels = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (data.mean, data.std))
    with torch.no_grad():
        given, expected = teacher.net((pixels - mean) / std).logits, net((pixels - 0.5) / 0.5)
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-5)


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
    again = examine(teacher, None, CPU, data, display)  # in float32, although it was not in float32 just now
    assert again is not None
    assert torch.equal(again.logits, exact.logits)

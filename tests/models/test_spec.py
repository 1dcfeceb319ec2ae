"""A network's source builds it, and knows what depends on it."""

from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from stillhouse.checkpoints import save_weights
from stillhouse.checkpoints.load import OtherHead
from stillhouse.models.input_spec import IMAGENET, InputSpec
from stillhouse.models.spec import NetworkSource
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet, quick_net_file

HALF = (0.5, 0.5, 0.5)


@pytest.fixture
def nets(tmp_path: Path) -> str:
    return quick_net_file(tmp_path)


def test_weights_are_taken_and_what_was_chosen_is_said(nets: str, tmp_path: Path) -> None:
    saved, notes = QuickNet(width=4), list[str]()
    averaged = {name: value + 1 for name, value in saved.state_dict().items()}
    torch.save({"model": saved.state_dict(), "model_ema": averaged}, tmp_path / "w.pth")
    for key, expected in ((None, saved.head.bias), ("model_ema", saved.head.bias + 1)):
        source = NetworkSource(f"{nets}:small", str(tmp_path / "w.pth"), key=key, option="teacher_")
        assert torch.equal(source.build(quick_data(), 0, notes.append).get_parameter("head.bias"), expected)
    assert len(notes) == 1
    assert notes[0].endswith("those under model_ema left out (choose with --teacher_weights_key)")


def test_another_head_names_the_option_of_this_network(nets: str, tmp_path: Path) -> None:
    torch.save(QuickNet(num_classes=9).state_dict(), tmp_path / "w.pth")
    source = NetworkSource(f"{nets}:small", str(tmp_path / "w.pth"), option="student_")
    with pytest.raises(OtherHead, match="pass --student_skip_head true to keep"):
        source.build(quick_data(), 0)
    assert source.build(quick_data(), 0, num_classes=9).get_parameter("head.bias").shape == (9,)


@pytest.mark.parametrize("weights", [None, "pretrained"])
def test_options_about_a_file_of_weights_need_one(nets: str, weights: str | None) -> None:
    for asked, name in (({"key": "ema"}, "weights_key"), ({"skip_head": True}, "skip_head")):
        source = replace(NetworkSource(f"{nets}:small", weights, option="teacher_"), **asked)
        with pytest.raises(ValueError, match=f"^--teacher_{name} is about a file of weights; give one as --teacher_w"):
            source.build(quick_data(), 0)


def test_a_network_that_is_not_in_float32_is_computed_in_it_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "half.py").write_text(
        "from tests.helpers.networks import QuickNet\n\n\n"
        "def net(num_classes):\n    return QuickNet(num_classes).half()\n"
    )
    notes: list[str] = []
    model = NetworkSource(f"{tmp_path}/half.py:net").build(quick_data(), 0, notes.append)
    assert all(p.dtype == torch.float32 for p in model.parameters())
    assert notes == [f"the weights of {tmp_path}/half.py:net are not in float32; they are converted to float32"]


def test_lazy_layers_have_sizes_before_weights_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "lazy.py").write_text(
        "from torch import nn\n\n\ndef net(num_classes):\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.LazyLinear(num_classes))\n"
    )
    source = NetworkSource(f"{tmp_path}/lazy.py:net")
    first, second = (source.build(quick_data(), 0).state_dict()["2.weight"] for _ in range(2))
    assert first.shape == (4, 4 * 14 * 14)
    assert torch.equal(first, second)


def test_a_file_says_what_images_it_expects(nets: str, tmp_path: Path) -> None:
    about = {"image_size": 48, "mean": [0.5] * 3, "std": [0.5] * 3}
    save_weights(QuickNet(), tmp_path / "student.safetensors", about)
    for place in (tmp_path, tmp_path / "student.safetensors"):
        source = NetworkSource(f"{nets}:small", str(place))
        assert source.input_spec(source.about()) == InputSpec(48, HALF, HALF, "its file")


def test_libraries_say_it_for_their_own_weights_and_guess_for_others(tmp_path: Path) -> None:
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=2, img_size=32)
    pretrained, other = (NetworkSource("timm:vit_tiny_patch16_224", weights) for weights in ("pretrained", "x.pth"))
    assert pretrained.input_spec({}) == InputSpec(224, HALF, HALF, "timm")
    assert other.input_spec({}, vit) == InputSpec(None, HALF, HALF, "timm", is_certain=False)
    assert NetworkSource("torchvision:inception_v3", "pretrained").input_spec({}).size == 299
    own = NetworkSource("torchvision:inception_v3", str(tmp_path / "inception_v3_google-0cc3c7bd.pth"))
    assert own.input_spec({}) == InputSpec(299, *IMAGENET, "torchvision")
    assert NetworkSource("torchvision:resnet18", "mine.pth").input_spec({}).is_certain is False
    for untrained in ("timm:vit_tiny_patch16_224", "resnet8"):
        assert NetworkSource(untrained).input_spec({}) == InputSpec()


def test_torchvisions_own_file_of_an_inception_turns_images_as_its_weights_expect(tmp_path: Path) -> None:
    import torchvision

    net = torchvision.models.googlenet(num_classes=4, init_weights=False, aux_logits=True)
    torch.save(net.state_dict(), tmp_path / "googlenet-1378be20.pth")
    notes: list[str] = []
    built = NetworkSource("torchvision:googlenet", str(tmp_path / "googlenet-1378be20.pth")).build(
        quick_data(), 0, notes.append
    )
    assert isinstance(built, nn.Module)
    assert vars(built)["transform_input"] is True
    assert "left out" in notes[0]
    assert "(aux1." in notes[0]


def test_what_a_run_depends_on_is_as_before_where_nothing_new_is_asked(nets: str, tmp_path: Path) -> None:
    torch.save(QuickNet().state_dict(), tmp_path / "w.pth")
    plain = NetworkSource(f"{nets}:small", str(tmp_path / "w.pth"))
    assert plain.identity().keys() == {"name", "weights", "files", "anatomy"}
    keyed = NetworkSource(f"{nets}:small", str(tmp_path / "w.pth"), key="ema", skip_head=True)
    assert keyed.identity() == plain.identity() | {"weights_key": "ema", "skip_head": True}

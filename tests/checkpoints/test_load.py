"""Weights go into a network when every name and shape fits, and what is left out is said."""

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from stillhouse.checkpoints import fingerprint, load_weights, save_weights
from stillhouse.checkpoints.load import OtherHead, head_modules
from stillhouse.models import zoo
from tests.helpers.networks import QuickNet


def test_counters_may_be_missing_and_numbers_of_another_precision(tmp_path: Path) -> None:
    saved, loaded, path = QuickNet(), QuickNet(), tmp_path / "old.pth"
    weights = {name: value.double() for name, value in saved.state_dict().items() if "num_batches" not in name}
    torch.save(weights, path)
    load_weights(loaded, path)
    assert torch.equal(loaded.head.weight, saved.head.weight)
    assert loaded.head.weight.dtype == torch.float32


def test_weights_that_do_not_fit_name_the_differences(tmp_path: Path) -> None:
    net, path = QuickNet(), tmp_path / "weights.pth"
    before = {name: value.clone() for name, value in net.state_dict().items()}
    torch.save(QuickNet(width=5).state_dict(), path)
    with pytest.raises(
        ValueError, match=r"0.weight is \(5, 3, 3, 3\) in the file and \(4, 3, 3, 3\) in the network; .*at this"
    ):
        load_weights(net, path)
    torch.save({name: value for name, value in before.items() if not name.startswith("stage1.1")}, path)
    with pytest.raises(ValueError, match=r"does not fit QuickNet: missing stage1.1.weight, .* \(4 missing, 0"):
        load_weights(net, path)
    torch.save(zoo("resnet8", 4).state_dict(), path)
    with pytest.raises(ValueError, match=r"another network: its names are conv1.weight, .*; is it the same network"):
        load_weights(net, path)
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())  # nothing half loaded


def heads(num_classes: int) -> dict[str, dict[str, Tensor]]:
    """Weights that fit but for the head: of other classes, without one, with another kind of one."""
    weights = QuickNet(num_classes=num_classes).state_dict()
    body = {name: value for name, value in weights.items() if not name.startswith("head")}
    return {"other": weights, "none": body, "fc": body | {"fc.weight": torch.ones(2, 8), "fc.bias": torch.ones(2)}}


@pytest.mark.parametrize("kind", ["other", "none", "fc"])
def test_another_head_is_named_and_left_out_on_request(tmp_path: Path, kind: str) -> None:
    path, net, notes = tmp_path / "imagenet.pth", QuickNet(), list[str]()
    weights = heads(1000)[kind]
    torch.save(weights, path)
    fresh = net.head.weight.clone()
    named = r"a head for 1,000 classes \(head.weight\)" if kind == "other" else "no head.weight or head.bias"
    with pytest.raises(
        OtherHead, match=rf"imagenet.pth has {named}, but QuickNet needs 4 classes; .*--skip_head"
    ) as caught:
        load_weights(net, path)
    assert caught.value.classes == (1000 if kind == "other" else None)
    load_weights(net, path, skip_head=True, say=notes.append)
    assert notes[0].startswith(f"{path}: left out the head (head.weight, head.bias")
    assert torch.equal(net.head.weight, fresh)
    assert torch.equal(net.get_parameter("stage1.0.weight"), weights["stage1.0.weight"])


def test_a_head_that_fits_is_taken_even_if_it_may_be_left_out(tmp_path: Path) -> None:
    saved, net = QuickNet(), QuickNet()
    torch.save(saved.state_dict(), tmp_path / "same.pth")
    load_weights(net, tmp_path / "same.pth", skip_head=True)
    assert torch.equal(net.head.weight, saved.head.weight)


def test_more_than_another_head_is_refused_for_what_it_is(tmp_path: Path) -> None:
    torch.save(QuickNet(num_classes=7, width=5).state_dict(), tmp_path / "weights.pth")
    for skip in (False, True):
        with pytest.raises(ValueError, match=r"stage1.0.weight is \(5, 3, 3, 3\) in the file"):
            load_weights(QuickNet(), tmp_path / "weights.pth", skip_head=skip)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: zoo("resnet8", 4), ("fc",)),
        (lambda: timm.create_model("test_resnet", num_classes=4), ("fc",)),
        (lambda: timm.create_model("levit_128s", num_classes=4), ("head.linear", "head_dist.linear")),
        (lambda: torchvision.models.squeezenet1_1(num_classes=4), ("classifier.1",)),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(4, 2)), ("2",)),
        (nn.Sequential, ()),
    ],
)
def test_heads_are_known(build: Callable[[], nn.Module], expected: tuple[str, ...]) -> None:
    assert head_modules(build()) == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    weights = QuickNet().state_dict()
    weights["stage2.1.running_var"][1] = value
    torch.save(weights, tmp_path / "spoilt.pth")
    what = "NaN" if value != value else "infinity"
    with pytest.raises(ValueError, match=rf"its weights contain {what} \(stage2.1.running_var\); load another"):
        load_weights(QuickNet(), tmp_path / "spoilt.pth")


def test_quantised_weights_are_refused(tmp_path: Path) -> None:
    for kind in (torch.int8, torch.float8_e4m3fn):
        weights = QuickNet().state_dict()
        weights["head.weight"] = weights["head.weight"].to(kind)
        torch.save(weights, tmp_path / "int8.pth")
        with pytest.raises(ValueError, match=rf"int8.pth holds quantised weights \(head.weight is {str(kind)[6:]}\)"):
            load_weights(QuickNet(), tmp_path / "int8.pth")


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_weights_are_taken_as_they_are(tmp_path: Path, kind: torch.dtype) -> None:
    weights = {name: value.to(kind) for name, value in QuickNet().state_dict().items()}
    torch.save(weights, tmp_path / "half.pth")
    net = QuickNet()
    load_weights(net, tmp_path / "half.pth")
    assert torch.equal(net.head.weight, weights["head.weight"].float())


def test_the_folder_of_a_run_stands_for_its_weights(tmp_path: Path) -> None:
    saved, net = QuickNet(), QuickNet()
    save_weights(saved, tmp_path / "student.safetensors", {})
    load_weights(net, tmp_path)
    assert torch.equal(net.head.weight, saved.head.weight)


class Remembers(nn.Module):
    """A network with a state of its own beside its weights."""

    def __init__(self, state: object):
        super().__init__()
        self.layer, self.state = nn.Linear(2, 2), state

    def get_extra_state(self) -> object:
        return self.state

    def set_extra_state(self, state: object) -> None:
        self.state = state


def test_an_extra_state_of_tensors_is_kept_and_any_other_refused(tmp_path: Path) -> None:
    net, path = Remembers(torch.zeros(2)), tmp_path / "net.safetensors"
    save_weights(Remembers(torch.ones(2)), path, {})
    load_weights(net, path)
    assert torch.equal(torch.as_tensor(net.state), torch.ones(2))
    assert fingerprint(net) != fingerprint(Remembers(torch.zeros(2)))
    with pytest.raises(ValueError, match=r"Remembers.get_extra_state returns a dict \(_extra_state\), .*buffer"):
        save_weights(Remembers({"steps": 3}), path, {})

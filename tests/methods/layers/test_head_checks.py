from collections.abc import Callable

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.methods.layers.head_checks import needs_pooled_linear_head
from stillhouse.taps import Tapped, probe


class _Ending(nn.Module):
    """How a network ends: images are maps already."""

    def __init__(self, behind: nn.Module | None = None, finish: Callable[[Tensor], Tensor] = lambda logits: logits):
        super().__init__()
        self.map = nn.Identity()
        self.behind = behind or nn.Identity()
        self.head = nn.Linear(3, 10)
        self.finish = finish
        self.anatomy = Anatomy(map="map", head="head")

    def forward(self, images: Tensor) -> Tensor:
        return self.finish(self.head(self.behind(self.map(images).mean((2, 3)))))


def _check(model: nn.Module, size: int = 4) -> None:
    net = Tapped(model)
    net.tap(["map"])
    needs_pooled_linear_head("student", probe(net, size), size)


@pytest.mark.parametrize("behind", [nn.Identity(), nn.Dropout(0.9)], ids=lambda module: type(module).__name__)
def test_an_average_and_a_linear_layer_pass_and_stay_as_they_are(behind: nn.Module) -> None:
    model = _Ending(behind)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    _check(model)
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    "model",
    [
        timm.create_model("resnet18", num_classes=10),
        torchvision.models.resnet18(num_classes=10),
        torchvision.models.mobilenet_v2(num_classes=10),
    ],
    ids=["timm resnet18", "torchvision resnet18", "torchvision mobilenet_v2"],
)
def test_foreign_networks_that_pass(model: nn.Module) -> None:
    _check(model, 64)


def test_rounding_of_large_logits_passes() -> None:
    model = _Ending(finish=lambda logits: logits * (1 + 1e-6))
    nn.init.constant_(model.head.weight, 3e3)
    _check(model)
    with pytest.raises(ValueError, match="must be one linear layer of the average"):
        _check(_Ending(finish=lambda logits: logits + 1e-3))


def test_half_precision_passes_and_hides_nothing() -> None:
    model = _Ending().bfloat16()
    _check(model)
    assert model.head.weight.dtype == torch.bfloat16
    with pytest.raises(ValueError, match="must be one linear layer of the average"):
        _check(_Ending(nn.LayerNorm(3)).bfloat16())


@pytest.mark.parametrize(
    "behind",
    [nn.BatchNorm1d(3), nn.LayerNorm(3), nn.ReLU(), nn.Linear(3, 3)],
    ids=lambda module: type(module).__name__,
)
def test_what_does_nothing_only_before_training_does_not_pass(behind: nn.Module) -> None:
    if isinstance(behind, nn.Linear):
        nn.init.eye_(behind.weight)
        nn.init.zeros_(behind.bias)
    with pytest.raises(ValueError, match="student _Ending must be one linear layer of the average of its map, map"):
        _check(_Ending(behind))


def test_logits_that_are_not_the_head_s_do_not_pass() -> None:
    with pytest.raises(ValueError, match="must be one linear layer of the average"):
        _check(_Ending(finish=lambda logits: 2 * logits))


@pytest.mark.parametrize(
    ("name", "place", "kind"),
    [
        ("mobilenetv3_small_050", "global_pool:in", "MobileNetV3"),
        ("convnext_atto", "head.global_pool:in", "ConvNeXt"),
    ],
)
def test_foreign_networks_that_are_refused(name: str, place: str, kind: str) -> None:
    with pytest.raises(ValueError, match=f"student {kind} must be one linear layer of the average of its map, {place}"):
        _check(timm.create_model(name, num_classes=10), 64)


def test_a_head_that_is_not_linear_is_refused() -> None:
    model = _Ending()
    model.anatomy = Anatomy(map="map", head="behind")
    with pytest.raises(ValueError, match="the student _Ending must have a linear layer as head, not a Identity"):
        _check(model)

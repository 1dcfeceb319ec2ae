import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.models import MODELS, zoo
from stillhouse.models.pieces import cut, frozen
from stillhouse.taps import Tapped


def check(net: Tapped, at: list[str], size: int) -> list[nn.Module]:
    """The pieces return what is tapped, bit for bit, and so the logits."""
    net.eval().tap(at)
    pieces = cut(net, at)
    assert len(pieces) == len(at) + 1
    value = images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        outputs = net(images)
        for place, piece in zip([*at, "logits"], pieces, strict=True):
            value = piece(value)
            assert torch.equal(value, outputs[place]), place
    return pieces


def landmarks(net: Tapped) -> list[str]:
    assert net.anatomy.stages
    return [*(f"stage{i + 1}" for i in range(len(net.anatomy.stages))), "embedding"]


@pytest.mark.parametrize("name", MODELS)
def test_pieces_of_the_zoo(name: str) -> None:
    net = Tapped(zoo(name, 10))
    pieces = check(net, landmarks(net), 16)
    assert {id(p) for piece in pieces for p in piece.parameters()} == {id(p) for p in net.parameters()}


@pytest.mark.parametrize(
    ("name", "size", "options"),
    [
        ("resnet18", 32, {}),
        ("mobilenetv2_050", 32, {}),
        ("convnext_atto", 32, {}),
        ("efficientnet_b0", 32, {}),
        ("regnetx_002", 32, {}),
        ("densenet121", 32, {}),
        ("vit_tiny_patch16_224", 32, {"img_size": 32, "patch_size": 8, "depth": 4}),
        ("swin_tiny_patch4_window7_224", 56, {"img_size": 56, "depths": (1, 1, 1), "num_heads": (3, 6, 12)}),
    ],
)
def test_pieces_of_foreign_networks(name: str, size: int, options: dict[str, object]) -> None:
    timm = pytest.importorskip("timm")
    model = timm.create_model(name, num_classes=10, **options)
    net = Tapped(model, Anatomy.of(model, size))
    check(net, landmarks(net), size)


def test_cuts_inside_modules_and_at_inputs() -> None:
    net = Tapped(zoo("resnet14", 10))
    pieces = check(net, ["stem", "layer2.0", "layer2.0", "preact2", "stage2", "layer3.1.relu2:in", "fc:in"], 16)
    value = torch.randn(2, 3)
    assert torch.equal(pieces[2](value), value)  # the same place twice


def test_no_cut_is_one_piece() -> None:
    net = Tapped(zoo("resnet8", 10))
    check(net, [], 16)


def test_copies_go_with_their_network() -> None:
    net = Tapped(zoo("resnet8", 10))
    pieces, twin = copy.deepcopy((cut(net, ["stage2"]), net))
    assert {id(p) for piece in pieces for p in piece.parameters()} == {id(p) for p in twin.parameters()}


@pytest.mark.parametrize("place", ["layer2.0.conv1", "layer2.0.relu1", "layer2.0.downsample"])
def test_refuses_a_cut_with_a_way_past_it(place: str) -> None:
    with pytest.raises(ValueError, match=r"ResNet cannot be cut at .*later modules also read values from before"):
        cut(Tapped(zoo("resnet8", 10)), ["stage1", place])


def test_refuses_what_is_out_of_order_or_not_there() -> None:
    net = Tapped(zoo("resnet8", 10))
    with pytest.raises(ValueError, match="not in the order in which they run"):
        cut(net, ["stage2", "stage1"])
    with pytest.raises(ValueError, match="ResNet has no module 'layer9'"):
        cut(net, ["layer9"])


class _Untraceable(nn.Module):
    """Looks at values, as torch.fx cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 5)

    def pool(self, x: Tensor) -> Tensor:
        return F.relu(x).mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        x = self.first(images)
        x = self.second(x if x.abs().sum() > 0 else -x)
        logits: Tensor = self.head(self.pool(x))
        return logits


CHAIN = Anatomy(stages=("first", "second"), head="head", chain=("first", "second", "pool", "head"))


def test_pieces_by_hand_where_tracing_cannot() -> None:
    model = _Untraceable()
    with pytest.raises(
        ValueError, match=r"torch.fx cannot take _Untraceable apart at first .*; give, as its anatomy's chain"
    ):
        cut(Tapped(model, Anatomy(stages=("first", "second"), head="head")), ["stage1"])
    model.add_module("other", nn.Identity())
    net = Tapped(model, CHAIN)
    check(net, ["stage1", "second:in", "stage2", "embedding"], 8)
    with pytest.raises(
        ValueError, match="the chain of _Untraceable has no link 'other' to cut at; it has first, second"
    ):
        cut(net, ["other"])
    with pytest.raises(ValueError, match="second, first are not in the order in which _Untraceable runs them"):
        cut(net, ["stage2", "stage1"])


def test_tries_the_pieces() -> None:
    class Overwriting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 5)

        def forward(self, images: Tensor) -> Tensor:
            x = self.conv(images)
            y = x.mean((2, 3))
            y.mul_(3.0)  # nothing reads what this returns, so its piece would not have it
            logits: Tensor = self.head(y)
            return logits

    with pytest.raises(
        ValueError, match=r"Overwriting must compute the same in pieces, but cut by torch\.fx it does not"
    ):
        cut(Tapped(Overwriting(), Anatomy(head="head")), ["conv"], image_size=8)
    forgetful = Anatomy(stages=("first", "second"), head="head", chain=("first", "pool", "head"))
    with pytest.raises(ValueError, match="_Untraceable must compute the same in pieces, but cut by the chain"):
        cut(Tapped(_Untraceable(), forgetful), ["stage1"], image_size=8)


def test_frozen_networks_pass_gradients_on() -> None:
    net = zoo("resnet8", 10).train()
    net.get_submodule("layer1").eval()
    net.get_parameter("fc.bias").requires_grad_(False)
    modes = {name: module.training for name, module in net.named_modules()}
    before = copy.deepcopy(net.state_dict())
    images = torch.randn(2, 3, 16, 16, requires_grad=True)
    with frozen(net):
        net(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert modes == {name: module.training for name, module in net.named_modules()}
    assert [name for name, p in net.named_parameters() if not p.requires_grad] == ["fc.bias"]

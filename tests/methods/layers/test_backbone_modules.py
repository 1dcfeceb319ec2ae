import pytest
import torch
from torch import nn

from stillhouse.anatomy import Anatomy
from stillhouse.methods.layers.backbone_modules import feature_modules
from stillhouse.models import zoo
from stillhouse.taps import Tapped
from tests.helpers.networks import tiny


def _paths(net: Tapped, image_size: int = 16) -> list[str]:
    names = {id(module): name for name, module in net.model.named_modules()}
    return [names[id(module)] for module in feature_modules(net, image_size)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet8", ["conv1", "bn1", "relu", "layer1", "layer2", "layer3"]),
        ("wrn_16_1", ["conv1", "block1", "block2", "block3"]),
        ("MobileNetV2", ["conv1", *(f"blocks.{i}" for i in range(7))]),
        ("ShuffleV2", ["conv1", "bn1", "relu1", "layer1", "layer2", "layer3"]),
    ],
)
def test_what_comes_behind_the_last_stage_is_not_listed(name: str, expected: list[str]) -> None:
    assert _paths(Tapped(zoo(name, 10)), 32) == expected


def test_a_block_of_which_a_part_comes_later_is_listed_by_its_parts() -> None:
    net = Tapped(nn.Sequential(tiny().stem, nn.Flatten(), nn.Linear(4 * 16 * 16, 5)), Anatomy(stages=("0.1",)))
    assert _paths(net) == ["0.0", "0.1"]


def test_a_last_stage_that_is_an_input_ends_before_that_module() -> None:
    assert _paths(Tapped(tiny(), Anatomy(stages=("act1", "conv2:in")))) == ["stem", "conv1", "norm1", "act1"]


def test_the_network_is_left_as_it_was() -> None:
    network = tiny()
    network.norm1.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    feature_modules(Tapped(network), 16)
    assert network.training
    assert not network.norm1.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())

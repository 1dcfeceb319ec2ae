import pytest
import torch

from stillhouse.models.mobilenetv2 import MobileNetV2
from tests.golden.closed_form import u
from tests.helpers.landmarks import anatomy_of, head_of, places, read


@pytest.mark.parametrize("width", [0.5, 1.0])
def test_stages_have_no_activation(width: float) -> None:
    network = MobileNetV2(10, width)
    anatomy = anatomy_of(network)
    _, seen = read(network, u((4, 3, 32, 32), 1).float(), places(network))
    assert all(seen[stage].min() < 0 for stage in anatomy.stages)


def test_last_block_of_a_stage_adds_its_input_to_what_the_norm_gives() -> None:
    network = MobileNetV2(10)
    norm = anatomy_of(network).norms[0]
    _, seen = read(network, u((2, 3, 32, 32), 1).float(), ["blocks.1.1:in", norm, "blocks.1"])
    assert torch.equal(seen["blocks.1.1:in"] + seen[norm], seen["blocks.1"])


def test_initialisation() -> None:
    network = MobileNetV2(100)
    head = head_of(network)
    assert head.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert head.bias.count_nonzero() == 0
    depthwise = network.state_dict()["blocks.4.1.conv.3.weight"]
    assert depthwise.shape == (288, 1, 3, 3)
    assert depthwise.std().item() == pytest.approx((2 / (9 * 288)) ** 0.5, rel=0.1)

import copy
from pathlib import Path

import torch
from torch import nn

from stillhouse.checkpoints.load import load_weights
from stillhouse.models.mobilenetv2_tiny import TinyMobileNetV2
from tests.golden.closed_form import u
from tests.helpers.landmarks import anatomy_of, head_of, places, read


def test_stages_but_the_last_have_no_activation() -> None:
    network = TinyMobileNetV2(10)
    anatomy = anatomy_of(network)
    _, seen = read(network, u((2, 3, 64, 64), 1).float(), places(network))
    assert [seen[stage].shape[1:] for stage in anatomy.stages] == [(24, 33, 33), (32, 17, 17), (64, 9, 9), (1280, 9, 9)]
    assert all(seen[stage].min() < 0 for stage in anatomy.stages[:-1])
    assert torch.equal(seen["conv1"], seen["conv1.2:in"].clamp(0, 6))


def test_the_head_is_linear_here_and_a_convolution_in_files(tmp_path: Path) -> None:
    network, again = TinyMobileNetV2(10).eval(), TinyMobileNetV2(10).eval()
    weight = network.state_dict()["conv2.weight"]
    assert weight.shape == (10, 1280, 1, 1)
    assert weight.data_ptr() == head_of(network).weight.data_ptr()
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    load_weights(again, tmp_path / "weights.pt")
    twin = copy.deepcopy(again)
    twin.load_state_dict(network.state_dict())
    images = u((2, 3, 64, 64), 1).float()
    convolution = nn.Conv2d(1280, 10, 1)
    convolution.load_state_dict({"weight": weight, "bias": network.state_dict()["conv2.bias"]})
    with torch.no_grad():
        logits, seen = read(network, images, ["conv1"])
        assert torch.equal(again(images), logits)
        assert torch.equal(twin(images), logits)
        pooled = convolution(seen["conv1"].mean((2, 3), keepdim=True)).flatten(1)
    torch.testing.assert_close(pooled, logits, rtol=1e-4, atol=1e-6)

from math import sqrt

import pytest
import torch
from torch import nn

from stillhouse.models.resnet import ResNet
from tests.golden.closed_form import u
from tests.helpers.landmarks import anatomy_of, places, read


def test_stages_are_activated_preacts() -> None:
    network = ResNet(14, 10)
    anatomy = anatomy_of(network)
    _, seen = read(network, u((2, 3, 32, 32), 1).float(), places(network))
    for stage, preact in zip(anatomy.stages, anatomy.preacts, strict=True):
        assert seen[preact].min() < 0
        assert torch.equal(seen[stage], seen[preact].relu())


def test_initialisation() -> None:
    network = ResNet(20, 10, widths=(32, 64, 128, 256))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            assert module.weight.std().item() == pytest.approx(sqrt(2 / fan_out), rel=0.1)


@pytest.mark.parametrize("depth", [2, 9, 18, 34])
def test_wrong_depth_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=r"6n \+ 2, such as 8, 14, 20"):
        ResNet(depth, 10)

import pytest
import torch

from stillhouse.models.deep_resnet import DeepResNet
from tests.golden.closed_form import u
from tests.helpers.landmarks import anatomy_of, places, read


@pytest.mark.parametrize("depth", [18, 50])
def test_stages_are_activated_preacts(depth: int) -> None:
    network = DeepResNet(depth, 10)
    anatomy = anatomy_of(network)
    with torch.no_grad():
        _, seen = read(network, u((2, 3, 32, 32), 1).float(), places(network))
    for stage, preact in zip(anatomy.stages, anatomy.preacts, strict=True):
        assert seen[preact].min() < 0
        assert torch.equal(seen[stage], seen[preact].relu())


@pytest.mark.parametrize(("depth", "layers"), [(18, 17), (34, 33), (50, 49), (101, 100), (152, 151)])
def test_the_depth_counts_convolutions_and_the_classifier(depth: int, layers: int) -> None:
    with torch.device("meta"):
        network = DeepResNet(depth, 10)
    convolutions = [name for name, value in network.named_parameters() if value.ndim == 4 and "shortcut" not in name]
    assert len(convolutions) == layers == depth - 1

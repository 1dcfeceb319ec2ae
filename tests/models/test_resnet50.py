import torch

from stillhouse.models.resnet50 import ResNet50
from tests.golden.closed_form import u
from tests.helpers.landmarks import anatomy_of, places, read


def test_stages_are_activated_preacts() -> None:
    network = ResNet50(10)
    anatomy = anatomy_of(network)
    with torch.no_grad():
        _, seen = read(network, u((2, 3, 32, 32), 1).float(), places(network))
    for stage, preact in zip(anatomy.stages, anatomy.preacts, strict=True):
        assert seen[preact].min() < 0
        assert torch.equal(seen[stage], seen[preact].relu())

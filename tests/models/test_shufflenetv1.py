import torch

from stillhouse.models.shufflenetv1 import ShuffleV1
from tests.golden.closed_form import u
from tests.helpers.landmarks import anatomy_of, places, read


def test_stages_are_activated_preacts() -> None:
    network = ShuffleV1(10)
    anatomy = anatomy_of(network)
    _, seen = read(network, u((2, 3, 32, 32), 1).float(), places(network))
    for stage, preact in zip(anatomy.stages, anatomy.preacts, strict=True):
        assert seen[preact].min() < 0
        assert torch.equal(seen[stage], seen[preact].relu())


def test_strided_unit_concatenates_the_pooled_input() -> None:
    unit = ShuffleV1(10).layer1[0].double().eval()
    x = u((2, 24, 8, 8), 1).relu()
    pooled = torch.nn.functional.avg_pool2d(x, 3, stride=2, padding=1)
    assert torch.equal(unit(x)[:, 216:], pooled)

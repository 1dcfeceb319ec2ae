import torch

from stillhouse.models.mobilenetv1 import MobileNetV1
from tests.golden.closed_form import u
from tests.helpers.landmarks import anatomy_of, places, read


def test_stages_are_activated_preacts() -> None:
    network = MobileNetV1(10)
    anatomy = anatomy_of(network)
    with torch.no_grad():
        _, seen = read(network, u((2, 3, 64, 64), 1).float(), places(network))
    assert [seen[stage].shape[1:] for stage in anatomy.stages] == [
        (128, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
        (1024, 2, 2),
    ]
    for stage, preact in zip(anatomy.stages, anatomy.preacts, strict=True):
        assert seen[preact].min() < 0
        assert torch.equal(seen[stage], seen[preact].relu())

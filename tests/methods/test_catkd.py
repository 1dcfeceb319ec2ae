from dataclasses import replace

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.batch import DataInfo
from stillhouse.distillation import Distillation
from stillhouse.methods import CATKD
from stillhouse.models import zoo
from stillhouse.taps import Outputs, Tapped
from tests.golden.closed_form import u
from tests.helpers.batches import TINY_DATA, tiny_batch
from tests.helpers.contract import TRANSFORMERS
from tests.helpers.networks import tiny

REFUSES = TRANSFORMERS


def _said(features: Tensor, weight: Tensor, bias: float = 0.0) -> Outputs:
    """Of a network with this last map and this head."""
    net = Tapped(nn.Sequential(nn.Linear(weight.shape[1], len(weight))), Anatomy(head="0", map="0")).double()
    net.head.weight, net.head.bias = nn.Parameter(weight), nn.Parameter(torch.full((len(weight),), bias).double())
    return Outputs(net.head(features.mean((2, 3))), {"map": features}, net)


def _class_maps(features: Tensor, weight: Tensor, size: int, normalize: bool) -> list[list[list[float]]]:
    """Sample, class, position; the size divides that of the features."""
    step = features.shape[2] // size
    maps: list[list[list[float]]] = [[] for _ in features]
    for n in range(len(features)):
        for c in range(len(weight)):
            values = []
            for row in range(size):
                for column in range(size):
                    window = features[n, :, row * step : (row + 1) * step, column * step : (column + 1) * step]
                    values.append(float((weight[c] @ window.flatten(1)).mean()))
            length = sum(value**2 for value in values) ** 0.5 if normalize else 1
            maps[n].append([value / length for value in values])
    return maps


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("size", [1, 2])
def test_class_maps_are_compared_position_by_position(size: int, normalize: bool) -> None:
    features, weights = (u((3, 4, 4, 4), 1), u((3, 6, 2, 2), 2)), (u((5, 4), 3), u((5, 6), 4))
    method = CATKD(size=size, normalize=normalize)
    student, teacher = (_said(*pair) for pair in zip(features, weights, strict=True))
    spot = method.choose_spots(student.net.anatomy, teacher.net.anatomy)[0]
    losses = method.loss_at(spot, student, teacher, tiny_batch(3))
    s, t = (_class_maps(*pair, size, normalize) for pair in zip(features, weights, strict=True))
    for n in range(3):
        squares = [(a - b) ** 2 for x, y in zip(s[n], t[n], strict=True) for a, b in zip(x, y, strict=True)]
        assert losses[n].item() == pytest.approx(sum(squares) / len(squares), rel=1e-10)


def test_the_maps_average_to_the_logits_but_for_the_bias() -> None:
    outputs = _said(u((2, 4, 4, 4), 1), u((5, 4), 3), bias=7.0)
    maps = CATKD(size=2, normalize=False).class_maps(outputs)
    torch.testing.assert_close(maps.mean(2) + 7, outputs.logits)


def test_the_head_learns_too() -> None:
    student, teacher = tiny(), Tapped(tiny(width=6, seed=1)).eval()
    distillation = Distillation(student, teacher, [CATKD()], TINY_DATA)
    batch = tiny_batch()
    torch.autograd.backward(distillation(batch, teacher(batch.images))["CATKD"])
    assert student.fc.weight.grad is not None
    assert student.fc.weight.grad.abs().max() > 0
    assert student.fc.bias.grad is None


def test_maps_of_unequal_size_and_width_meet() -> None:
    teacher = zoo("resnet8x4", 5)
    distillation = Distillation(zoo("MobileNetV2", 5), teacher, [CATKD()], replace(TINY_DATA, image_size=32))
    spoken = Tapped(teacher).eval()
    spoken.tap(["map"])
    images = F.interpolate(tiny_batch().images, size=32)
    assert distillation(replace(tiny_batch(), images=images), spoken(images))["CATKD"].isfinite()


def test_tokens_are_refused() -> None:
    vit = timm.create_model("vit_tiny_patch16_224", img_size=32, patch_size=8, num_classes=5, depth=4, embed_dim=48)
    with pytest.raises(ValueError, match=r"CATKD.*map"):
        Distillation(tiny(), vit, [CATKD()], DataInfo(5, 32, TINY_DATA.labels))


def test_a_head_that_reads_something_else_than_the_map_is_refused() -> None:
    net = timm.create_model("mobilenetv3_small_050", num_classes=5)  # a convolution between pooling and head
    with pytest.raises(ValueError, match=r"teacher must have a linear layer that reads the \d+ channels"):
        Distillation(tiny(), net, [CATKD()], DataInfo(5, 32, TINY_DATA.labels))

import torch
from torch import Tensor

from stillhouse.models.shufflenetv2 import ShuffleV2, _BasicUnit, _DownUnit
from tests.golden.closed_form import fill, u
from tests.helpers.landmarks import anatomy_of, places, read


def interleave(left: Tensor, right: Tensor) -> Tensor:
    return torch.stack([left, right], dim=2).flatten(1, 2)


def basic_unit_of_the_paper(unit: _BasicUnit, x: Tensor) -> tuple[Tensor, Tensor]:
    """(output, preact) with the ReLU on the computed half only"""
    half = x.shape[1] // 2
    kept, changed = x[:, :half], x[:, half:]
    changed = unit.bn1(unit.conv1(changed)).relu()
    changed = unit.bn3(unit.conv3(unit.bn2(unit.conv2(changed))))
    return interleave(kept, changed.relu()), torch.cat([kept, changed], dim=1)


def down_unit_of_the_paper(unit: _DownUnit, x: Tensor) -> tuple[Tensor, Tensor]:
    left = unit.bn2(unit.conv2(unit.bn1(unit.conv1(x))))
    right = unit.bn5(unit.conv5(unit.bn4(unit.conv4(unit.bn3(unit.conv3(x)).relu()))))
    return interleave(left.relu(), right.relu()), torch.cat([left, right], dim=1)


def test_one_relu_for_both_halves_has_the_gradients_of_the_paper() -> None:
    network = ShuffleV2(10).double()
    fill(network.state_dict())
    layer = network.layer1  # one down unit, three basic units
    x = u((2, 24, 8, 8), 1)
    parameters = list(layer.parameters())

    _, seen = read(layer, x, ["3.relu:in", "3"])
    output, preact = seen["3"], seen["3.relu:in"]

    assert isinstance(layer[0], _DownUnit)
    slow_output, slow_preact = down_unit_of_the_paper(layer[0], x)
    for unit in layer[1:]:
        assert isinstance(unit, _BasicUnit)
        slow_output, slow_preact = basic_unit_of_the_paper(unit, slow_output)

    assert torch.equal(output, slow_output)
    assert torch.equal(preact, slow_preact)
    for value, slow in ((preact, slow_preact), (output, slow_output)):
        weights = u(value.shape, 2)
        gradients = torch.autograd.grad((value * weights).sum(), parameters, retain_graph=True)
        expected = torch.autograd.grad((slow * weights).sum(), parameters, retain_graph=True)
        for gradient, wanted in zip(gradients, expected, strict=True):
            torch.testing.assert_close(gradient, wanted, rtol=1e-12, atol=1e-12)


def test_stages_are_shuffled_activated_preacts() -> None:
    network = ShuffleV2(10)
    anatomy = anatomy_of(network)
    _, seen = read(network, u((2, 3, 32, 32), 1).float(), places(network))
    for stage, preact in zip(anatomy.stages, anatomy.preacts, strict=True):
        left, right = seen[preact].relu().chunk(2, dim=1)
        assert torch.equal(seen[preact].chunk(2, dim=1)[0], left)  # the kept half is activated already
        assert torch.equal(seen[stage], interleave(left, right))

import pytest
import torch
from torch import nn

from stillhouse.models import zoo
from stillhouse.models.wrn import WRN
from tests.golden.closed_form import u
from tests.helpers.landmarks import anatomy_of, places, read


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("wrn_16_1", 180_916),
        ("wrn_16_2", 703_284),
        ("wrn_16_4", 2_772_020),
        ("wrn_28_2", 1_479_220),
        ("wrn_28_4", 5_872_180),
        ("wrn_28_10", 36_536_884),
        ("wrn_40_1", 569_780),
        ("wrn_40_2", 2_255_156),
    ],
)
def test_any_depth_and_width(name: str, parameters: int) -> None:
    with torch.device("meta"):
        network = zoo(name, 100)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_shallowest() -> None:
    network = WRN(10, 1, 10)
    anatomy = anatomy_of(network)
    logits, seen = read(network, u((2, 3, 32, 32), 1).float(), places(network))
    assert [tuple(seen[stage].shape[1:]) for stage in anatomy.stages] == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]
    assert logits.shape == (2, 10)


def test_preacts_are_the_next_normalisation_called_once() -> None:
    network = WRN(16, 2, 10).train()
    anatomy = anatomy_of(network)
    _, seen = read(network, u((2, 3, 32, 32), 1).float(), places(network))
    for stage, preact, name in zip(anatomy.stages, anatomy.preacts, anatomy.norms, strict=True):
        norm = network.get_submodule(name)
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.num_batches_tracked == 1
        assert torch.equal(seen[preact], norm(seen[stage]))


def test_initialisation() -> None:
    assert WRN(10, 1, 10).fc.bias.count_nonzero() == 0


@pytest.mark.parametrize("name", ["wrn_17_2", "wrn_4_1", "wrn_0_1", "wrn_42_2"])
def test_wrong_depth_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"the depth must be 6n \+ 4, such as 10, 16, .*; there is no {name}"):
        zoo(name, 10)


def test_wrong_width_is_refused() -> None:
    with pytest.raises(ValueError, match="the width must be 1 or more, not 0"):
        zoo("wrn_16_0", 10)

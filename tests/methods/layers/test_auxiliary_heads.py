import pytest
import torch
from torch import Tensor, nn

from stillhouse.methods.layers.auxiliary_heads import _Merge, _TokenExit, exit_from
from tests.golden.closed_form import u


def _tokens(length: int, width: int = 8) -> Tensor:
    return u((2, length, width), 1).float()


@pytest.mark.parametrize("later", [0, 1, 3])
def test_a_map_is_halved_once_for_each_later_stage(later: int) -> None:
    features = u((2, 4, 16, 16), 1).float()
    exit_ = exit_from(features, later, width=10, classes=5)
    sizes: list[int] = []
    for module in exit_.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, args, value: sizes.append(value.shape[2]))
    assert exit_(features).shape == (2, 5)
    assert sizes[-1] == 16 // 2**later
    convolutions = [module for module in exit_.modules() if isinstance(module, nn.Conv2d)]
    assert convolutions[-1].out_channels == 10
    if later == 3:
        assert [c.in_channels for c in convolutions if c.groups == 1] == [4, 4, 8, 8, 16, 16]


def test_only_the_linear_layer_has_a_bias_beside_the_normalisations() -> None:
    exit_ = exit_from(u((2, 4, 16, 16), 1).float(), 1, width=10, classes=5)
    biased = {type(module) for module in exit_.modules() if getattr(module, "bias", None) is not None}
    assert biased == {nn.BatchNorm2d, nn.Linear}


def test_maps_of_one_position_have_exits_too() -> None:
    features = u((2, 4, 1, 1), 1).float()
    assert exit_from(features, 2, width=10, classes=5)(features).shape == (2, 5)


@pytest.mark.parametrize(
    ("length", "prefix", "merges"),
    [(196, 0, 1), (197, 1, 1), (198, 2, 1), (64, 0, 0), (65, 1, 0), (785, 1, 2), (261, 5, 1), (98, 0, 0), (2, 1, 0)],
)
def test_tokens_in_excess_of_a_square_are_no_patches(length: int, prefix: int, merges: int) -> None:
    exit_ = exit_from(_tokens(length), later=0, width=10, classes=5)
    assert isinstance(exit_, _TokenExit)
    assert (exit_.prefix, len(exit_.merges)) == (prefix, merges)
    assert exit_(_tokens(length)).shape == (2, 5)


@pytest.mark.parametrize(("length", "prefix"), [(33, 8), (34, 0)])
def test_more_than_eight_tokens_in_excess_are_no_prefix(length: int, prefix: int) -> None:
    exit_ = exit_from(_tokens(length), later=0, width=10, classes=5)
    assert isinstance(exit_, _TokenExit)
    assert exit_.prefix == prefix


@pytest.mark.parametrize(("later", "blocks"), [(0, 1), (1, 1), (3, 3)])
def test_as_many_blocks_as_later_stages_but_at_least_one(later: int, blocks: int) -> None:
    exit_ = exit_from(_tokens(17), later, width=10, classes=5)
    assert len(list(exit_.get_submodule("blocks").children())) == blocks


def test_the_class_token_is_read_where_there_is_one() -> None:
    for length, expected in ((17, [0]), (16, list(range(16)))):
        exit_ = exit_from(_tokens(length), 0, 10, 5).eval()
        read: list[Tensor] = []
        exit_.get_submodule("head").register_forward_pre_hook(lambda m, args, read=read: read.append(args[0]))
        seen: list[Tensor] = []
        exit_.get_submodule("blocks").register_forward_hook(lambda m, args, value, seen=seen: seen.append(value))
        exit_(_tokens(length))
        torch.testing.assert_close(read[0], seen[0][:, expected].mean(1))


def test_merging_joins_four_neighbours() -> None:
    merge = _Merge(side=4, width=1)
    merge.norm = nn.Identity()  # type: ignore[assignment] # a stand-in for the test
    merge.linear = nn.Identity()  # type: ignore[assignment] # a stand-in for the test
    merge.activation = nn.Identity()  # type: ignore[assignment] # a stand-in for the test
    merged = merge(torch.arange(16.0).view(1, 16, 1))
    assert merged[0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_logits_begin_small() -> None:
    """Truncated normal weights of deviation 0.02 and no bias, so that no exit drowns the others."""
    exit_ = exit_from(u((2, 4, 16, 16), 1).float(), 1, 10, 5)
    linear = next(module for module in exit_.modules() if isinstance(module, nn.Linear))
    assert 0 < linear.weight.abs().max() < 0.1
    assert linear.bias.abs().max() == 0

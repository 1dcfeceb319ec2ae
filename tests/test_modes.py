"""Modules are afterwards as they were, in their modes or in their values."""

import pytest
import torch
from torch import nn

from stillhouse.modes import in_eval_mode, unchanged


def mixed() -> nn.Sequential:
    """In train mode, with a BatchNorm that somebody froze and a Dropout in it."""
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Sequential(nn.Dropout(0.5)))
    net.train()
    net[1].eval()
    return net


def modes(net: nn.Module) -> list[bool]:
    return [module.training for module in net.modules()]


def test_modes_come_back_one_by_one() -> None:
    first, second = mixed(), mixed().eval()
    before = modes(first), modes(second)
    assert before[0] == [True, True, False, True, True]
    with in_eval_mode(first, second):
        assert not any(modes(first) + modes(second))
    assert (modes(first), modes(second)) == before


def test_modes_come_back_after_an_error() -> None:
    net = mixed()
    with pytest.raises(ZeroDivisionError), in_eval_mode(net):
        1 / 0  # noqa: B018
    assert modes(net) == [True, True, False, True, True]


def test_values_come_back_after_an_error_those_that_are_not_saved_as_well() -> None:
    net = mixed()
    net.register_buffer("unsaved", torch.zeros(2), persistent=False)
    before = [value.clone() for value in (*net.parameters(), *net.buffers())]

    def change() -> None:
        with unchanged(net), torch.no_grad():
            for value in (*net.parameters(), *net.buffers()):
                value.add_(1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()
    assert all(torch.equal(*pair) for pair in zip(before, (*net.parameters(), *net.buffers()), strict=True))

"""Tensors given by a formula: the golden files record what networks filled like this compute."""

from collections.abc import Mapping, Sequence
from math import prod, sqrt

import torch
from torch import Tensor

_PERIOD = 65537


def u(shape: Sequence[int], seed: int) -> Tensor:
    """float64 in (-1, 1): x_i = 2 r_i / 65537 - 1, r_i = (7919 i^2 + 104729 (seed + 1) i + 12345 seed) mod 65537"""
    count = prod(shape)
    i = torch.arange(min(count, _PERIOD))  # r depends on i mod 65537 only
    r = (7919 * (i * i % _PERIOD) + 104729 * (seed + 1) * i + 12345 * seed) % _PERIOD
    return (2 * r.double() / _PERIOD - 1).repeat(-(-count // _PERIOD) or 1)[:count].reshape(tuple(shape))


def fill(state: Mapping[str, Tensor], offset: int = 0) -> None:
    """Overwrites a network's `state_dict()` in place; entry k takes seed k + offset."""
    for k, (name, value) in enumerate(state.items()):
        if name.endswith("num_batches_tracked"):
            continue
        base = u(value.shape, k + offset)
        if name.endswith("running_var"):
            base = 1 + 0.5 * base
        elif name.endswith(("running_mean", "bias")):
            base = 0.1 * base
        elif value.ndim == 1:
            base = 0.5 + 0.1 * base
        else:
            base = base * sqrt(6 / prod(value.shape[1:]))
        value.copy_(base)

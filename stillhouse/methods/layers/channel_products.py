"""Inner products of the channels of two maps."""

from typing import Any

import torch
from torch import Tensor


def channel_products(one: Tensor, other: Tensor) -> Tensor:
    """(N, C, ...), (N, D, ...) -> (N, C, D), the inner products, over positions, of all pairs of channels.

    Gradients have the memory layout of the maps, so they need not be rearranged. They cost half as much for a map with
    itself.
    """
    products: Tensor = _Products.apply(one.flatten(2), None if other is one else other.flatten(2))
    return products


class _Products(torch.autograd.Function):
    """(N, C, P), (N, D, P) -> (N, C, D); None for the second means the first again"""

    @staticmethod
    def forward(ctx: Any, one: Tensor, other: Tensor | None) -> Tensor:
        ctx.save_for_backward(one, other)
        return one @ (one if other is None else other).mT

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        (gradient,), (one, other) = gradients, ctx.saved_tensors
        if other is None:
            return _combine(gradient + gradient.mT, one, one), None
        wanted = ctx.needs_input_grad
        to_one = _combine(gradient, other, one) if wanted[0] else None
        return to_one, _combine(gradient.mT, one, other) if wanted[1] else None


def _combine(weights: Tensor, channels: Tensor, like: Tensor) -> Tensor:
    """(N, C, D), (N, D, P), (N, C, P) -> (N, C, P), weighted sums of channels, in the last argument's memory layout"""
    if like.stride(1) == 1 != like.stride(2):
        return (channels.mT @ weights.mT).mT
    return weights @ channels

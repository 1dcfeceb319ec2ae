"""Relations between the samples of a batch."""

from typing import Any

import torch
from torch import Tensor

from .channel_products import channel_products


def gram(features: Tensor) -> Tensor:
    """(N, ...) -> (N, N), the inner products of all pairs of samples."""
    flat = _flat(features)[None]
    return channel_products(flat, flat)[0]  # its gradient takes one product instead of two


def cosines(features: Tensor, epsilon: float) -> Tensor:
    """(N, ...) -> (N, N) cosines of all pairs; epsilon is added to each sample's length, so zeros stay zeros."""
    products: Tensor = _Cosines.apply(_flat(features), epsilon)
    return products


class _Cosines(torch.autograd.Function):
    """(N, D) -> (N, N), with the gradient in closed form, which takes half as many operations."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, epsilon: float) -> Tensor:
        lengths = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
        divisors = lengths + epsilon
        unit = vectors / divisors
        ctx.save_for_backward(unit, lengths, divisors)
        products: Tensor = unit @ unit.T
        return products

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        unit, lengths, divisors = ctx.saved_tensors
        towards = (gradients[0] + gradients[0].T) @ unit
        along = torch.linalg.vecdot(unit, towards)[:, None] / lengths.clamp(min=torch.finfo(unit.dtype).tiny)
        return torch.addcmul(towards / divisors, unit, along, value=-1), None


def _flat(features: Tensor) -> Tensor:
    """(N, ...) -> (N, D), in an order that avoids a copy: within a sample the order does not matter"""
    if features.ndim == 4 and features.is_contiguous(memory_format=torch.channels_last):
        features = features.permute(0, 2, 3, 1)
    return features.flatten(1)


def squared_distances(products: Tensor) -> Tensor:
    """(N, N) inner products -> (N, N) squared Euclidean distances, exactly 0 on the diagonal."""
    lengths = products.diagonal()
    return (lengths[:, None] + lengths - 2 * products).clamp(min=0)


def probabilities(similarities: Tensor, active: Tensor | None = None) -> Tensor:
    """(N, N) similarities, none below 0, (N,) -> (N, N), the probability that i picks j as a neighbour; rows sum to 1.

    Only active samples are picked; entries of the others have no meaning.
    """
    if active is None:
        return similarities / similarities.sum(1, keepdim=True)
    total = similarities @ active.to(similarities)
    return similarities / total.clamp(min=1e-3)[:, None]  # an active sample has a total of about 1/2 or more


def mean_over(values: Tensor, active: Tensor | None = None) -> Tensor:
    """(N, ..., N), (N,) -> (), the mean of all entries between active samples; 0 if there are none."""
    if active is None:
        return values.mean()
    weights = active.to(values) / active.sum().clamp(min=1)
    for _ in range(values.ndim):
        values = values @ weights
    return values

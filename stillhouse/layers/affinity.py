"""How the samples of a batch relate to each other."""

import torch
from torch import Tensor


def gram(features: Tensor) -> Tensor:
    """(N, ...) -> (N, N), the inner products of all pairs of samples."""
    if features.ndim == 4 and features.is_contiguous(memory_format=torch.channels_last):
        features = features.permute(0, 2, 3, 1)  # the order inside a sample does not matter: spare the copy
    flat = features.flatten(1)
    return flat @ flat.T


def squared_distances(products: Tensor) -> Tensor:
    """(N, N) inner products -> (N, N) squared Euclidean distances, exactly 0 on the diagonal."""
    lengths = products.diagonal()
    return (lengths[:, None] + lengths - 2 * products).clamp(min=0)


def cosines(products: Tensor, epsilon: float) -> Tensor:
    """(N, N) inner products -> (N, N) cosines; epsilon is added to each sample's length, so zeros stay zeros."""
    smallest = torch.finfo(products.dtype).tiny  # instead of 0, where a square root has no gradient
    lengths = products.diagonal().clamp(min=smallest).sqrt() + epsilon
    return products / lengths[:, None] / lengths


def probabilities(similarities: Tensor) -> Tensor:
    """(N, N) positive similarities -> (N, N), rows that sum to 1: how likely each sample is to be picked by another."""
    return similarities / similarities.sum(1, keepdim=True)

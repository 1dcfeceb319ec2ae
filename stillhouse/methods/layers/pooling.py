"""Pooling that brings maps to the same size."""

import torch.nn.functional as F
from torch import Tensor


def pool_to_smaller(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """(N, C, H, W), (N, D, K, L) -> both averaged to the smaller height and the smaller width"""
    size = min(one.shape[2], other.shape[2]), min(one.shape[3], other.shape[3])
    first, second = (f if f.shape[2:] == size else F.adaptive_avg_pool2d(f, size) for f in (one, other))
    return first, second

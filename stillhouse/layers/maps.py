"""Maps and vectors alike, and maps in any memory format."""

import torch
from torch import Tensor


def as_map(features: Tensor) -> Tensor:
    """A vector (N, D) is a map of one position, (N, D, 1, 1); maps stay as they are."""
    return features[:, :, None, None] if features.ndim == 2 else features


def channel_mean(features: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H, W), with a gradient that is laid out as the map is, which nobody needs to turn round."""
    if features.is_contiguous(memory_format=torch.channels_last):
        return features.movedim(1, 3).mean(3)
    return features.mean(1)

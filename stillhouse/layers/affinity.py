"""How the samples of a batch relate to each other."""

import torch
from torch import Tensor


def gram(features: Tensor) -> Tensor:
    """(N, ...) -> (N, N), the inner products of all pairs of samples."""
    if features.ndim == 4 and features.is_contiguous(memory_format=torch.channels_last):
        features = features.permute(0, 2, 3, 1)  # the order inside a sample does not matter: spare the copy
    flat = features.flatten(1)
    return flat @ flat.T

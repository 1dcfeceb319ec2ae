"""Maps and vectors alike."""

from torch import Tensor


def as_map(features: Tensor) -> Tensor:
    """A vector (N, D) is a map of one position, (N, D, 1, 1); maps stay as they are."""
    return features[:, :, None, None] if features.ndim == 2 else features

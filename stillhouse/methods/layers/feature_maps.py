"""Operations on maps in any memory format, and vectors seen as maps."""

from typing import Any

import torch
from torch import Tensor

from ...method import Spot


def as_map(features: Tensor) -> Tensor:
    """(N, D) -> (N, D, 1, 1), a map of one position; maps (N, C, H, W) stay as they are."""
    return features[:, :, None, None] if features.ndim == 2 else features


def channel_mean(features: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H, W), with a gradient in the map's memory layout, so that it need not be rearranged."""
    if features.is_contiguous(memory_format=torch.channels_last):
        return features.movedim(1, 3).mean(3)
    return features.mean(1)


def mean_square(features: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H, W), over channels, without keeping the squares for the gradient."""
    means: Tensor = _MeanSquare.apply(features)
    return means


class _MeanSquare(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        if features.is_contiguous(memory_format=torch.channels_last):
            lengths: Tensor = torch.linalg.vector_norm(features, dim=1)
            return lengths.square() / features.shape[1]
        return features.square().mean(1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        gradient: Tensor = features * (2 / features.shape[1] * gradients[0])[:, None]
        return gradient


def needs_equal_channels(method: str, spot: Spot, student: Tensor, teacher: Tensor) -> None:
    """Refuse networks of unequal width, for methods that compare maps channel by channel without a connector."""
    if student.shape[1] != teacher.shape[1]:
        raise ValueError(
            f"{method} must read maps of equal channels, but the student's {spot.student!r} has {student.shape[1]} and "
            f"the teacher's {spot.teacher!r} {teacher.shape[1]}; choose networks of equal width, or a method that "
            f"reads maps of any width, such as NST"
        )

"""The features of the recorded feature losses of mdistiller: products of sines, on four images."""

import torch
from torch import Tensor


def pattern(channels: int, side: int, amplitude: float, phase: float) -> Tensor:
    """(4, channels, side, side)"""
    axes = (torch.arange(size, dtype=torch.float64) for size in (4, channels, side, side))
    b, c, h, w = torch.meshgrid(*axes, indexing="ij")
    angle = 0.31 * b * c + 0.53 * c + 0.71 * h + 1.13 * w + 0.17 * b * h + 0.29 * c * w
    return amplitude * torch.sin(angle + phase)

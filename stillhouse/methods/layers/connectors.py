"""Connectors: layers that bring the student's features to the teacher's shape."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class Regressor(nn.Module):
    """The convolutional regressor of FitNets: one convolution that depends on the two sizes, BatchNorm, ReLU.

    Args:
        student: Shape (N, C, H, W) of its input.
        teacher: Shape of the features it predicts. The output has this shape, except where the student's map is smaller
            in one dimension and not exactly half as large in both: then the student's size is kept.
        active: End with a ReLU; not for targets before an activation.
    """

    def __init__(self, student: Sequence[int], teacher: Sequence[int], active: bool = True):
        super().__init__()
        _, s_channels, s_height, s_width = student
        _, t_channels, t_height, t_width = teacher
        self.conv: nn.Conv2d | nn.ConvTranspose2d
        if (s_height, s_width) == (2 * t_height, 2 * t_width):
            self.conv = nn.Conv2d(s_channels, t_channels, 3, stride=2, padding=1)
        elif (2 * s_height, 2 * s_width) == (t_height, t_width):
            self.conv = nn.ConvTranspose2d(s_channels, t_channels, 4, stride=2, padding=1)
        elif s_height >= t_height and s_width >= t_width:
            self.conv = nn.Conv2d(s_channels, t_channels, (1 + s_height - t_height, 1 + s_width - t_width))
        else:
            self.conv = nn.Conv2d(s_channels, t_channels, 3, padding=1)
        self.bn = nn.BatchNorm2d(t_channels)
        self.active = active

    def forward(self, features: Tensor) -> Tensor:
        features = self.bn(self.conv(features))
        return F.relu(features) if self.active else features


def three_convolutions(inputs: int, inner: int, outputs: int) -> list[nn.Module]:
    """Return convolutions of 1x1, 3x3 and 1x1 without biases, with BatchNorm and ReLU between, but none at the end.

    Maps (N, inputs, H, W) -> (N, outputs, H, W)
    """
    return [
        nn.Conv2d(inputs, inner, 1, bias=False),
        nn.BatchNorm2d(inner),
        nn.ReLU(),
        nn.Conv2d(inner, inner, 3, padding=1, bias=False),
        nn.BatchNorm2d(inner),
        nn.ReLU(),
        nn.Conv2d(inner, outputs, 1, bias=False),
    ]

"""ShuffleNet with three groups for small images."""

import torch
from torch import Tensor, nn

from ..anatomy import Anatomy


class _Unit(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)"""

    def __init__(self, inputs: int, outputs: int, stride: int, first_groups: int = 3):
        super().__init__()
        self.pool = nn.AvgPool2d(3, stride=2, padding=1) if stride == 2 else None
        computed = outputs - inputs if stride == 2 else outputs  # the pooled input is concatenated, else added
        middle = computed // 4
        self.conv1 = nn.Conv2d(inputs, middle, 1, groups=first_groups, bias=False)
        self.bn1 = nn.BatchNorm2d(middle)
        self.relu1 = nn.ReLU()
        self.shuffle = nn.ChannelShuffle(first_groups)
        self.conv2 = nn.Conv2d(middle, middle, 3, stride, padding=1, groups=middle, bias=False)
        self.bn2 = nn.BatchNorm2d(middle)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(middle, computed, 1, groups=3, bias=False)
        self.bn3 = nn.BatchNorm2d(computed)
        self.relu3 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        residual = self.shuffle(self.relu1(self.bn1(self.conv1(x))))
        residual = self.relu2(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        total = residual + x if self.pool is None else torch.cat([residual, self.pool(x)], dim=1)
        out: Tensor = self.relu3(total)
        return out


def _layer(inputs: int, outputs: int, blocks: int, first_groups: int = 3) -> nn.Sequential:
    rest = [_Unit(outputs, outputs, stride=1) for _ in range(blocks - 1)]
    return nn.Sequential(_Unit(inputs, outputs, stride=2, first_groups=first_groups), *rest)


class ShuffleV1(nn.Module):
    """ShuffleNet (Zhang et al., CVPR 2018, arXiv:1707.01083), g = 3.

    The layout is RepDistiller's, so its checkpoints load. It differs from the paper: a 1x1 stem without pooling, and
    a ReLU after the depthwise convolution.

    Args:
        large: Begin with a 7x7 convolution of stride 2, as SDD's authors do for images of 224 px.
    """

    def __init__(self, num_classes: int, large: bool = False):
        super().__init__()
        kernel, stride = (7, 2) if large else (1, 1)
        self.conv1 = nn.Conv2d(3, 24, kernel, stride, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(24)
        self.relu = nn.ReLU()
        # "we do not apply group convolution on the first pointwise layer because the number of input channels is
        # relatively small"
        self.layer1 = _layer(24, 240, blocks=4, first_groups=1)
        self.layer2 = _layer(240, 480, blocks=8)
        self.layer3 = _layer(480, 960, blocks=4)
        self.linear = nn.Linear(960, num_classes)

        self.anatomy = Anatomy(
            stem="relu",
            stages=("layer1", "layer2", "layer3"),
            preacts=("layer1.3.relu3:in", "layer2.7.relu3:in", "layer3.3.relu3:in"),
            norms=("layer1.3.bn3", "layer2.7.bn3", "layer3.3.bn3"),
            map="layer3",
            head="linear",
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, C)"""
        x = self.relu(self.bn1(self.conv1(images)))  # (N, 24, H, W), half of that with the large stem, as below
        x = self.layer1(x)  # (N, 240, H / 2, W / 2)
        x = self.layer2(x)  # (N, 480, H / 4, W / 4)
        x = self.layer3(x)  # (N, 960, H / 8, W / 8)
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits

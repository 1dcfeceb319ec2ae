"""ShuffleNet V2 of width 1 for small images, as in the CRD benchmark."""

import torch
from torch import Tensor, nn

from ..anatomy import Anatomy


class _DownUnit(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, H / 2, W / 2)"""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        half = outputs // 2
        self.conv1 = nn.Conv2d(inputs, inputs, 3, stride=2, padding=1, groups=inputs, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv2 = nn.Conv2d(inputs, half, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv3 = nn.Conv2d(inputs, half, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(half)
        self.relu3 = nn.ReLU()
        self.conv4 = nn.Conv2d(half, half, 3, stride=2, padding=1, groups=half, bias=False)
        self.bn4 = nn.BatchNorm2d(half)
        self.conv5 = nn.Conv2d(half, half, 1, bias=False)
        self.bn5 = nn.BatchNorm2d(half)
        self.relu = nn.ReLU()
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        left = self.bn2(self.conv2(self.bn1(self.conv1(x))))
        right = self.relu3(self.bn3(self.conv3(x)))
        right = self.bn5(self.conv5(self.bn4(self.conv4(right))))
        out: Tensor = self.shuffle(self.relu(torch.cat([left, right], dim=1)))
        return out


class _BasicUnit(nn.Module):
    """(N, channels, H, W) -> (N, channels, H, W)"""

    def __init__(self, channels: int):
        super().__init__()
        half = channels // 2
        self.conv1 = nn.Conv2d(half, half, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(half)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(half, half, 3, padding=1, groups=half, bias=False)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv3 = nn.Conv2d(half, half, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(half)
        self.relu = nn.ReLU()
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        kept, changed = x.chunk(2, dim=1)
        changed = self.relu1(self.bn1(self.conv1(changed)))
        changed = self.bn3(self.conv3(self.bn2(self.conv2(changed))))
        # The paper's ReLU reads `changed` only. `kept` comes out of the last unit's ReLU, and a second ReLU does not
        # change it, forward or backward. So one ReLU for both keeps the function and has the preact as its input.
        out: Tensor = self.shuffle(self.relu(torch.cat([kept, changed], dim=1)))
        return out


def _layer(inputs: int, outputs: int, basic_units: int) -> nn.Sequential:
    return nn.Sequential(_DownUnit(inputs, outputs), *(_BasicUnit(outputs) for _ in range(basic_units)))


class ShuffleV2(nn.Module):
    """ShuffleNet V2 (Ma et al., ECCV 2018, arXiv:1807.11164), width 1.

    The layout is RepDistiller's, so its checkpoints load; its stem is a 1x1 convolution without pooling. There are no
    `norms`: half of each preact comes from the unit before, so no single BatchNorm has scaled all of it.
    """

    def __init__(self, num_classes: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 24, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(24)
        self.relu1 = nn.ReLU()
        self.layer1 = _layer(24, 116, basic_units=3)
        self.layer2 = _layer(116, 232, basic_units=7)
        self.layer3 = _layer(232, 464, basic_units=3)
        self.conv2 = nn.Conv2d(464, 1024, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(1024)
        self.relu2 = nn.ReLU()
        self.linear = nn.Linear(1024, num_classes)

        self.anatomy = Anatomy(
            stem="relu1",
            stages=("layer1", "layer2", "layer3"),
            preacts=("layer1.3.relu:in", "layer2.7.relu:in", "layer3.3.relu:in"),
            map="relu2",
            head="linear",
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, C)"""
        x = self.relu1(self.bn1(self.conv1(images)))  # (N, 24, H, W)
        x = self.layer1(x)  # (N, 116, H / 2, W / 2)
        x = self.layer2(x)  # (N, 232, H / 4, W / 4)
        x = self.layer3(x)  # (N, 464, H / 8, W / 8)
        x = self.relu2(self.bn2(self.conv2(x)))  # (N, 1024, H / 8, W / 8)
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits

"""Residual networks for small images, built of basic blocks: resnet8 to resnet110, resnet8x4, resnet32x4."""

from collections.abc import Sequence

from torch import Tensor, nn

from ..anatomy import Anatomy


class _BasicBlock(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)"""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                nn.BatchNorm2d(outputs),
            )
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        out: Tensor = self.relu2(residual + self.downsample(x))
        return out


def _layer(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    rest = [_BasicBlock(outputs, outputs, 1) for _ in range(blocks - 1)]
    return nn.Sequential(_BasicBlock(inputs, outputs, stride), *rest)


class ResNet(nn.Module):
    """Deep Residual Learning for Image Recognition (He et al., CVPR 2016, arXiv:1512.03385), section 4.2.

    The layout (names, 1x1 convolution shortcuts) is RepDistiller's, so its checkpoints load. The pool takes any
    image size, as in DSPP.

    Args:
        depth: 6n + 2; n blocks in each of the three layers.
        widths: channels of the stem and of the three layers.
        large: Begin with a 7x7 convolution of stride 2, as SDD's authors do for images of 224 px.
    """

    def __init__(self, depth: int, num_classes: int, widths: Sequence[int] = (16, 16, 32, 64), large: bool = False):
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"the depth must be 6n + 2, such as 8, 14, 20, 32 or 56, not {depth}")
        blocks = (depth - 2) // 6
        stem, first, second, third = widths
        kernel, stride = (7, 2) if large else (3, 1)
        self.conv1 = nn.Conv2d(3, stem, kernel, stride, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.relu = nn.ReLU()
        self.layer1 = _layer(stem, first, blocks, stride=1)
        self.layer2 = _layer(first, second, blocks, stride=2)
        self.layer3 = _layer(second, third, blocks, stride=2)
        self.fc = nn.Linear(third, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

        layers = ("layer1", "layer2", "layer3")
        self.anatomy = Anatomy(
            stem="relu",
            stages=layers,
            preacts=tuple(f"{layer}.{blocks - 1}.relu2:in" for layer in layers),
            norms=tuple(f"{layer}.{blocks - 1}.bn2" for layer in layers),
            map="layer3",
            head="fc",
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, C)"""
        x = self.relu(self.bn1(self.conv1(images)))  # (N, stem, H, W), half of that with the large stem, as below
        x = self.layer1(x)  # (N, first, H, W)
        x = self.layer2(x)  # (N, second, H / 2, W / 2)
        x = self.layer3(x)  # (N, third, H / 4, W / 4)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits

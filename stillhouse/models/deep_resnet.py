"""ResNet-18 to ResNet-152 for small images: blocks of two or three convolutions after a 3x3 stem without pooling."""

from torch import Tensor, nn

from ..anatomy import Anatomy

_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


class _BasicBlock(nn.Module):
    """(N, inputs, H, W) -> (N, planes, H / stride, W / stride)"""

    expansion = 1
    last_relu, last_norm = "relu2", "bn2"

    def __init__(self, inputs: int, planes: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = _shortcut(inputs, planes, stride)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        out: Tensor = self.relu2(residual + self.shortcut(x))
        return out


class _Bottleneck(nn.Module):
    """(N, inputs, H, W) -> (N, 4 * planes, H / stride, W / stride)"""

    expansion = 4
    last_relu, last_norm = "relu3", "bn3"

    def __init__(self, inputs: int, planes: int, stride: int):
        super().__init__()
        outputs = self.expansion * planes
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.shortcut = _shortcut(inputs, outputs, stride)
        self.relu3 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        residual = self.relu1(self.bn1(self.conv1(x)))
        residual = self.relu2(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        out: Tensor = self.relu3(residual + self.shortcut(x))
        return out


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class DeepResNet(nn.Module):
    """Deep Residual Learning for Image Recognition (He et al., CVPR 2016, arXiv:1512.03385), table 1.

    The layout is that of RepDistiller, SAKD and mdistiller, not torchvision's: no pooling in the stem, and the names
    `shortcut` and `linear`. So their checkpoints load, including those for Tiny-ImageNet, and ImageNet ones do not. In
    bottlenecks the stride is in the 3x3 convolution, not in the first 1x1 as in the paper.

    Args:
        depth: 18 or 34 with blocks of two convolutions, 50, 101 or 152 with blocks of three.
        large: Begin with a 7x7 convolution of stride 2, as SDD's authors do for images of 224 px.
    """

    def __init__(self, depth: int, num_classes: int, large: bool = False):
        super().__init__()
        block = _BasicBlock if depth < 50 else _Bottleneck
        counts, widths = _BLOCKS[depth], (64, 128, 256, 512)

        def layer(inputs: int, planes: int, count: int, stride: int) -> nn.Sequential:
            rest = [block(block.expansion * planes, planes, 1) for _ in range(count - 1)]
            return nn.Sequential(block(inputs, planes, stride), *rest)

        kernel, step = (7, 2) if large else (3, 1)
        self.conv1 = nn.Conv2d(3, 64, kernel, step, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.layer1 = layer(64, widths[0], counts[0], stride=1)
        self.layer2 = layer(block.expansion * widths[0], widths[1], counts[1], stride=2)
        self.layer3 = layer(block.expansion * widths[1], widths[2], counts[2], stride=2)
        self.layer4 = layer(block.expansion * widths[2], widths[3], counts[3], stride=2)
        self.linear = nn.Linear(block.expansion * widths[3], num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

        last_blocks = [f"layer{i}.{count - 1}" for i, count in enumerate(counts, start=1)]
        self.anatomy = Anatomy(
            stem="relu",
            stages=("layer1", "layer2", "layer3", "layer4"),
            preacts=tuple(f"{last}.{block.last_relu}:in" for last in last_blocks),
            norms=tuple(f"{last}.{block.last_norm}" for last in last_blocks),
            map="layer4",
            head="linear",
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, C)"""
        x = self.relu(self.bn1(self.conv1(images)))  # (N, 64, H, W), half of that with the large stem, as below
        x = self.layer1(x)  # (N, 64 or 256, H, W)
        x = self.layer2(x)  # (N, 128 or 512, H / 2, W / 2)
        x = self.layer3(x)  # (N, 256 or 1024, H / 4, W / 4)
        x = self.layer4(x)  # (N, 512 or 2048, H / 8, W / 8)
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits

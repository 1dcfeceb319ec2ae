"""ResNet-50 for small images: bottleneck blocks behind a 3x3 stem without pooling."""

from torch import Tensor, nn

from ..anatomy import Anatomy


class _Bottleneck(nn.Module):
    """(N, inputs, H, W) -> (N, 4 * planes, H / stride, W / stride)"""

    def __init__(self, inputs: int, planes: int, stride: int):
        super().__init__()
        outputs = 4 * planes
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                nn.BatchNorm2d(outputs),
            )
        self.relu3 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        residual = self.relu1(self.bn1(self.conv1(x)))
        residual = self.relu2(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        out: Tensor = self.relu3(residual + self.shortcut(x))
        return out


def _layer(inputs: int, planes: int, blocks: int, stride: int) -> nn.Sequential:
    rest = [_Bottleneck(4 * planes, planes, 1) for _ in range(blocks - 1)]
    return nn.Sequential(_Bottleneck(inputs, planes, stride), *rest)


class ResNet50(nn.Module):
    """Deep Residual Learning for Image Recognition (He et al., CVPR 2016, arXiv:1512.03385), 50 layers.

    RepDistiller's layout, not torchvision's: no pooling in the stem, `shortcut` and `linear` as names, so the
    benchmark's checkpoints load and ImageNet ones do not. The stride is in the 3x3 convolution, not in the paper's
    first 1x1.
    """

    def __init__(self, num_classes: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.layer1 = _layer(64, 64, blocks=3, stride=1)
        self.layer2 = _layer(256, 128, blocks=4, stride=2)
        self.layer3 = _layer(512, 256, blocks=6, stride=2)
        self.layer4 = _layer(1024, 512, blocks=3, stride=2)
        self.linear = nn.Linear(2048, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

        last_blocks = ("layer1.2", "layer2.3", "layer3.5", "layer4.2")
        self.anatomy = Anatomy(
            stem="relu",
            stages=("layer1", "layer2", "layer3", "layer4"),
            preacts=tuple(f"{block}.relu3:in" for block in last_blocks),
            norms=tuple(f"{block}.bn3" for block in last_blocks),
            map="layer4",
            head="linear",
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, C)"""
        x = self.relu(self.bn1(self.conv1(images)))  # (N, 64, H, W)
        x = self.layer1(x)  # (N, 256, H, W)
        x = self.layer2(x)  # (N, 512, H / 2, W / 2)
        x = self.layer3(x)  # (N, 1024, H / 4, W / 4)
        x = self.layer4(x)  # (N, 2048, H / 8, W / 8)
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits

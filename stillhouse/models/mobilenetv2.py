"""MobileNetV2 at half or full width for small images."""

from torch import Tensor, nn

from ..anatomy import Anatomy


def _layer(inputs: int, outputs: int, blocks: int, stride: int, expansion: int) -> nn.Sequential:
    rest = [_InvertedResidual(outputs, outputs, 1, expansion) for _ in range(blocks - 1)]
    return nn.Sequential(_InvertedResidual(inputs, outputs, stride, expansion), *rest)


class _InvertedResidual(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride), with no activation at the end"""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int):
        super().__init__()
        self.is_residual = stride == 1 and inputs == outputs
        wide = expansion * inputs
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
            nn.Conv2d(wide, wide, 3, stride, padding=1, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return x + out if self.is_residual else out


class MobileNetV2(nn.Module):
    """MobileNetV2: Inverted Residuals and Linear Bottlenecks (Sandler et al., CVPR 2018, arXiv:1801.04381).

    The layout is RepDistiller's, at half width, and SAKD's, at full width, so their checkpoints load. It differs from
    the paper: ReLU instead of ReLU6, stride 1 instead of 2 in the second group, and an expanding convolution in the
    first block as well. Stages are linear bottlenecks, signed; no activation follows, so `preacts` are the stages
    themselves.

    Args:
        width: Factor of the paper's numbers of channels, except for the last convolution.
        large: Begin with a 7x7 convolution and a pool, as SDD's authors do for images of 224 px.
    """

    def __init__(self, num_classes: int, width: float = 0.5, large: bool = False):
        super().__init__()
        stem, *widths = (int(width * channels) for channels in (32, 16, 24, 32, 64, 96, 160, 320))
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, stem, 7 if large else 3, stride=2, padding=3 if large else 1, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(),
            *([nn.MaxPool2d(2)] if large else []),
        )
        self.blocks = nn.Sequential(
            _layer(stem, widths[0], blocks=1, stride=1, expansion=1),
            _layer(widths[0], widths[1], blocks=2, stride=1, expansion=6),
            _layer(widths[1], widths[2], blocks=3, stride=2, expansion=6),
            _layer(widths[2], widths[3], blocks=4, stride=2, expansion=6),
            _layer(widths[3], widths[4], blocks=3, stride=1, expansion=6),
            _layer(widths[4], widths[5], blocks=3, stride=2, expansion=6),
            _layer(widths[5], widths[6], blocks=1, stride=1, expansion=6),
        )
        self.conv2 = nn.Sequential(nn.Conv2d(widths[6], 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU())
        linear = nn.Linear(1280, num_classes)
        self.classifier = nn.Sequential(linear)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(linear.weight, std=0.01)
        nn.init.zeros_(linear.bias)

        stages = ("blocks.1", "blocks.2", "blocks.4", "blocks.6")
        self.anatomy = Anatomy(
            stem="conv1",
            stages=stages,
            preacts=stages,
            norms=("blocks.1.1.conv.7", "blocks.2.2.conv.7", "blocks.4.2.conv.7", "blocks.6.0.conv.7"),
            map="conv2",
            head="classifier.0",
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, C)"""
        x = self.conv1(images)  # (N, 32 width, H / 2, W / 2), half of that if large, as below
        x = self.blocks(x)  # (N, 320 width, H / 16, W / 16)
        x = self.conv2(x)  # (N, 1280, H / 16, W / 16)
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits

"""Wide residual networks of any depth and width: wrn_16_2, wrn_40_2, wrn_28_10, ... Their dropout is left out."""

from torch import Tensor, nn

from ..anatomy import Anatomy


class _PreactBlock(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)"""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.convShortcut = None if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        active = self.relu1(self.bn1(x))
        residual = self.conv2(self.relu2(self.bn2(self.conv1(active))))
        # Where the shape changes the shortcut also starts after the activation; elsewhere it is the raw stream.
        out: Tensor = residual + (x if self.convShortcut is None else self.convShortcut(active))
        return out


class _Group(nn.Module):
    """A wrapper that gives its blocks the name `layer`, as in the published checkpoints."""

    def __init__(self, inputs: int, outputs: int, blocks: int, stride: int):
        super().__init__()
        rest = [_PreactBlock(outputs, outputs, 1) for _ in range(blocks - 1)]
        self.layer = nn.Sequential(_PreactBlock(inputs, outputs, stride), *rest)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        return out


class WRN(nn.Module):
    """Wide Residual Networks (Zagoruyko and Komodakis, BMVC 2016, arXiv:1605.07146).

    The layout is RepDistiller's, so its checkpoints load. Stages are the raw residual stream, signed; the paper's
    activations come one BatchNorm later. That BatchNorm is in the next group, so `preacts` read it there instead of
    calling it twice (which would update its running statistics twice).

    Args:
        depth: 6n + 4; n blocks in each of the three groups.
        width: Factor of the 16, 32 and 64 channels of the groups.
    """

    def __init__(self, depth: int, width: int, num_classes: int):
        super().__init__()
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(
                f"the depth must be 6n + 4, such as 10, 16, 22, 28 or 40, not {depth}; there is no wrn_{depth}_{width}"
            )
        if width < 1:
            raise ValueError(f"the width must be 1 or more, not {width}; there is no wrn_{depth}_{width}")
        blocks = (depth - 4) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.block1 = _Group(16, 16 * width, blocks, stride=1)
        self.block2 = _Group(16 * width, 32 * width, blocks, stride=2)
        self.block3 = _Group(32 * width, 64 * width, blocks, stride=2)
        self.bn1 = nn.BatchNorm2d(64 * width)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(64 * width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.fc.bias)

        norms = ("block2.layer.0.bn1", "block3.layer.0.bn1", "bn1")
        self.anatomy = Anatomy(
            stem="conv1",
            stages=("block1", "block2", "block3"),
            preacts=norms,
            norms=norms,
            map="relu",
            head="fc",
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, C)"""
        x = self.conv1(images)  # (N, 16, H, W)
        x = self.block1(x)  # (N, 16 * width, H, W)
        x = self.block2(x)  # (N, 32 * width, H / 2, W / 2)
        x = self.block3(x)  # (N, 64 * width, H / 4, W / 4)
        x = self.relu(self.bn1(x))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits

"""MobileNetV2 as mdistiller trains it on Tiny-ImageNet, for images of 64 px."""

from torch import Tensor, nn

from ..anatomy import Anatomy


class _LinearBottleneck(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride), with no activation at the end"""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int = 6):
        super().__init__()
        wide = expansion * inputs
        self.residual = nn.Sequential(
            nn.Conv2d(inputs, wide, 1),
            nn.BatchNorm2d(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, wide, 3, stride, padding=1, groups=wide),
            nn.BatchNorm2d(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, outputs, 1),
            nn.BatchNorm2d(outputs),
        )
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.residual(x)
        return x + out if self.is_residual else out


def _stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    rest = (_LinearBottleneck(outputs, outputs, 1) for _ in range(blocks - 1))
    return nn.Sequential(_LinearBottleneck(inputs, outputs, stride), *rest)


class _PointwiseHead(nn.Linear):
    """A linear layer that is a 1 x 1 convolution in files: its weight is (C, D) here and (C, D, 1, 1) in them."""

    def __init__(self, inputs: int, num_classes: int):
        super().__init__(inputs, num_classes)
        self.register_state_dict_post_hook(_as_convolution)  # type: ignore[no-untyped-call] # in PyTorch
        self.register_load_state_dict_pre_hook(_as_linear)  # type: ignore[no-untyped-call] # in PyTorch


def _as_convolution(module: nn.Module, state: dict[str, Tensor], prefix: str, local_metadata: object) -> None:
    state[f"{prefix}weight"] = state[f"{prefix}weight"][:, :, None, None]


def _as_linear(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    weight = state.get(f"{prefix}weight")
    if weight is not None and weight.ndim == 4:
        state[f"{prefix}weight"] = weight[:, :, 0, 0]


class TinyMobileNetV2(nn.Module):
    """MobileNetV2: Inverted Residuals and Linear Bottlenecks (Sandler et al., CVPR 2018, arXiv:1801.04381).

    The layout is mdistiller's for Tiny-ImageNet, so its checkpoints load. It differs from the paper: a 1 x 1 stem of
    stride 1, whose padding of 1 px adds a frame, an expanding convolution in the first block as well, convolutions with
    biases. Stages are linear bottlenecks, except for the last one, which is the last convolution.
    """

    def __init__(self, num_classes: int):
        super().__init__()
        self.pre = nn.Sequential(nn.Conv2d(3, 32, 1, padding=1), nn.BatchNorm2d(32), nn.ReLU6())
        self.stage1 = _LinearBottleneck(32, 16, 1, expansion=1)
        self.stage2 = _stage(16, 24, blocks=2, stride=2)
        self.stage3 = _stage(24, 32, blocks=3, stride=2)
        self.stage4 = _stage(32, 64, blocks=4, stride=2)
        self.stage5 = _stage(64, 96, blocks=3, stride=1)
        self.stage6 = _stage(96, 160, blocks=3, stride=1)
        self.stage7 = _LinearBottleneck(160, 320, 1)
        self.conv1 = nn.Sequential(nn.Conv2d(320, 1280, 1), nn.BatchNorm2d(1280), nn.ReLU6())
        self.conv2 = _PointwiseHead(1280, num_classes)

        self.anatomy = Anatomy(
            stem="pre",
            stages=("stage2", "stage3", "stage4", "conv1"),
            preacts=("stage2", "stage3", "stage4", "conv1.2:in"),
            norms=("stage2.1.residual.7", "stage3.2.residual.7", "stage4.3.residual.7", "conv1.1"),
            map="conv1",
            head="conv2",
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, C)"""
        x = self.stage1(self.pre(images))  # (N, 16, H + 2, W + 2)
        x = self.stage2(x)  # (N, 24, H / 2 + 1, W / 2 + 1)
        x = self.stage3(x)  # (N, 32, H / 4 + 1, W / 4 + 1)
        x = self.stage4(x)  # (N, 64, H / 8 + 1, W / 8 + 1)
        x = self.stage7(self.stage6(self.stage5(x)))  # (N, 320, H / 8 + 1, W / 8 + 1)
        x = self.conv1(x)  # (N, 1280, H / 8 + 1, W / 8 + 1)
        logits: Tensor = self.conv2(x.mean((2, 3)))
        return logits

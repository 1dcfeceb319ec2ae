"""ShuffleNet V2 of four widths for small images, its ReLUs moved so that every stage is read before its ReLU."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..anatomy import Anatomy


def _residual(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)"""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(inputs, inputs, 1),
        nn.BatchNorm2d(inputs),
        nn.ReLU(),
        nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs),
        nn.BatchNorm2d(inputs),
        nn.Conv2d(inputs, outputs, 1),
        nn.BatchNorm2d(outputs),
    )


class _DownUnit(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, H / 2, W / 2)"""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        half = outputs // 2
        self.residual = _residual(inputs, half, stride=2)
        self.shortcut = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(inputs, inputs, 3, stride=2, padding=1, groups=inputs),
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, half, 1),
            nn.BatchNorm2d(half),
        )
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shuffle(torch.cat([self.shortcut(x), self.residual(x)], dim=1))
        return out


class _BasicUnit(nn.Module):
    """(N, channels, H, W) -> (N, channels, H, W)"""

    def __init__(self, channels: int):
        super().__init__()
        half = channels // 2
        self.residual = _residual(half, half, stride=1)
        self.shortcut = nn.ReLU()
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        kept, changed = x.chunk(2, dim=1)
        out: Tensor = self.shuffle(torch.cat([self.shortcut(kept), self.residual(changed)], dim=1))
        return out


def _stage(inputs: int, outputs: int, basic_units: int) -> nn.Sequential:
    return nn.Sequential(_DownUnit(inputs, outputs), *(_BasicUnit(outputs) for _ in range(basic_units)))


class PreactShuffleV2(nn.Module):
    """ShuffleNet V2 (Ma et al., ECCV 2018, arXiv:1807.11164), the ReLU at the start of a unit instead of its end.

    The layout is that of github.com/PkuDavidGuan/Distillation, so its checkpoints load, as do those that this package
    wrote when ReLUs had no numbers of their own: a 3x3 stem without pooling, convolutions with biases.
    Apart from one ReLU after the stem the function is the paper's. Stages are signed, so `preacts` are the stages
    themselves. There are no `norms`: half of each stage comes from the unit before, after a ReLU.

    Args:
        widths: channels of the three stages and of the last convolution.
    """

    def __init__(self, widths: Sequence[int], num_classes: int):
        super().__init__()
        first, second, third, last = widths
        self.pre = nn.Sequential(nn.Conv2d(3, 24, 3, padding=1), nn.BatchNorm2d(24))
        self.stage2 = _stage(24, first, basic_units=3)
        self.stage3 = _stage(first, second, basic_units=7)
        self.stage4 = _stage(second, third, basic_units=3)
        self.conv5 = nn.Sequential(nn.ReLU(), nn.Conv2d(third, last, 1), nn.BatchNorm2d(last))
        self.relu5 = nn.ReLU()
        self.fc = nn.Linear(last, num_classes)

        self.former_names = {name: _former(name) for name in self.state_dict()}
        self.register_load_state_dict_pre_hook(_rename_former)  # type: ignore[no-untyped-call] # in PyTorch

        stages = ("stage2", "stage3", "stage4")
        self.anatomy = Anatomy(stem="pre", stages=stages, preacts=stages, map="relu5", head="fc")

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, C)"""
        x = self.pre(images)  # (N, 24, H, W)
        x = self.stage2(x)  # (N, first, H / 2, W / 2)
        x = self.stage3(x)  # (N, second, H / 4, W / 4)
        x = self.stage4(x)  # (N, third, H / 8, W / 8)
        x = self.relu5(self.conv5(x))  # (N, last, H / 8, W / 8)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def _former(name: str) -> str:
    """Return the name that an entry had when ReLUs were outside `residual`, `shortcut` and `conv5`."""
    return re.sub(r"(residual|shortcut|conv5)\.(\d+)", lambda found: f"{found[1]}.{int(found[2]) - 1}", name)


def _rename_former(module: PreactShuffleV2, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    if f"{prefix}conv5.0.weight" in state:  # now a ReLU
        former = {prefix + old: prefix + new for new, old in module.former_names.items()}
        entries = {former.get(name, name): value for name, value in state.items()}
        state.clear()
        state.update(entries)

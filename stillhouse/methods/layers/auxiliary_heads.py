"""Exits of a network: small heads that compute logits from the features of a stage."""

from itertools import pairwise
from math import gcd, isqrt

import torch
from torch import Tensor, nn

_SMALLEST_GRID = 7
_MOST_PREFIX_TOKENS = 8


def exit_from(features: Tensor, later: int, width: int, classes: int) -> nn.Module:
    """The exits of OFA-KD (Hao et al., NeurIPS 2023, arXiv:2310.19444): features -> (N, classes)

    Args:
        features: (N, C, H, W) or (N, L, D), as an example.
        later: Number of stages that follow this one.
        width: Of the layer before the last one, for maps.
    """
    if features.ndim == 4:
        return _MapExit(features.shape[1], later, width, classes).apply(_initialise)
    return _TokenExit(features.shape[1], features.shape[2], later, classes).apply(_initialise)


class _MapExit(nn.Sequential):
    """As many separable convolutions of stride 2 as there are later stages, the average, a linear layer."""

    def __init__(self, channels: int, later: int, width: int, classes: int):
        widths = [*(channels * 2**i for i in range(later)), width]
        blocks: list[nn.Module] = [_separable(one, other) for one, other in pairwise(widths)]
        layers = blocks if later else [nn.Conv2d(channels, width, 1)]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


def _separable(channels: int, width: int) -> nn.Sequential:
    def half(width: int, stride: int) -> list[nn.Module]:
        depthwise = nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False)
        return [depthwise, nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]

    return nn.Sequential(*half(channels, 2), *half(width, 1))


class _TokenExit(nn.Module):
    """Neighbouring patches merged as long as 7 x 7 or more remain, then transformer blocks and a linear layer.

    Extra tokens, beyond a square of patches, come first. The first of them, the class token, is read; without any, the
    average of all tokens is.
    """

    def __init__(self, length: int, width: int, later: int, classes: int):
        super().__init__()
        side = isqrt(length)
        self.prefix = length - side**2
        if self.prefix > _MOST_PREFIX_TOKENS:  # not a square of patches
            self.prefix, side = 0, 0
        merges = []
        while side >= 2 * _SMALLEST_GRID and side % 2 == 0:
            merges.append(_Merge(side, width))
            side //= 2
        self.merges = nn.Sequential(*merges)
        self.blocks = nn.Sequential(*(_block(width) for _ in range(max(later, 1))))
        self.head = nn.Linear(width, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        prefix, patches = tokens[:, : self.prefix], tokens[:, self.prefix :]
        tokens = self.blocks(torch.cat([prefix, self.merges(patches)], dim=1))
        logits: Tensor = self.head(tokens[:, 0] if self.prefix else tokens.mean(1))
        return logits


class _Merge(nn.Module):
    """(N, side^2, D) -> (N, side^2 / 4, D)"""

    def __init__(self, side: int, width: int):
        super().__init__()
        self.side = side
        self.norm, self.linear = nn.LayerNorm(4 * width), nn.Linear(4 * width, width, bias=False)
        self.activation = nn.GELU()

    def forward(self, patches: Tensor) -> Tensor:
        half = self.side // 2
        grid = patches.reshape(-1, half, 2, half, 2, patches.shape[2])  # a row, above or below, a column, left or right
        merged = grid.permute(0, 1, 3, 2, 4, 5).reshape(-1, half * half, 4 * patches.shape[2])
        reduced: Tensor = self.activation(self.linear(self.norm(merged)))
        return reduced


def _block(width: int) -> nn.Module:
    heads = gcd(width, 4)
    return nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)

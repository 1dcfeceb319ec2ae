"""Pairs of small networks of several kinds, and batches for them, on which `stillhouse check` tests methods."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..anatomy import Anatomy
from ..batch import Batch, DataInfo
from ..models.resnet import ResNet
from ..rng import seeded, stream
from ..taps import Tapped

CLASSES, SIZE, IMAGES, BATCH = 6, 16, 42, 8
DATA = DataInfo(CLASSES, SIZE, torch.arange(IMAGES) % CLASSES, BATCH)

# At least 8 channels: strided 1 x 1 convolutions of fewer corrupt memory in oneDNN on AVX2 CPUs (PyTorch 2.14.1).
_narrow = partial(ResNet, 8, CLASSES, (8, 8, 12, 16))
_wide = partial(ResNet, 14, CLASSES, (10, 10, 16, 24))


@dataclass(frozen=True)
class Pair:
    """An untrained student and an untrained teacher."""

    name: str
    student_kind: Callable[[], nn.Module]
    teacher_kind: Callable[[], nn.Module]
    TEACHER: ClassVar[int] = 1000  # seed of a teacher's weights

    def student(self, seed: int = 0) -> Tapped:
        return _specimen(self.student_kind, seed)

    def teacher(self) -> Tapped:
        return _specimen(self.teacher_kind, self.TEACHER)


class PlainNet(nn.Module):
    """(N, 3, 16, 16) -> (N, classes) in four stages without shortcuts, then another convolution before the pool.

    It declares no anatomy, so its landmarks must be found, and its activations work in place.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (6, 10, 14, 18)
        self.first = nn.Sequential(_conv(3, 6, 3), _conv(6, 6, 3))
        self.later = nn.Sequential(*(_conv(a, b, 3, stride=2) for a, b in pairwise(widths)))
        self.last = _conv(widths[-1], 32, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(32, CLASSES))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.pool(self.last(self.later(self.first(images)))))
        return logits


class TinyViT(nn.Module):
    """(N, 3, 16, 16) -> (N, classes) by four transformer blocks on a class token and 16 patches."""

    def __init__(self) -> None:
        super().__init__()
        width, patch = 16, 4
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 1 + (SIZE // patch) ** 2, width))
        self.blocks = nn.Sequential(*(_Transformer(width) for _ in range(4)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(images), -1, -1), tokens], dim=1) + self.positions
        logits: Tensor = self.head(self.norm(self.blocks(tokens))[:, 0])
        return logits


class _Transformer(nn.Module):
    """(N, L, D) -> (N, L, D)"""

    def __init__(self, width: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mixing = nn.Linear(width, 3 * width)
        self.widening, self.activation, self.narrowing = (
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.mixing(self.norm1(tokens)).chunk(3, dim=2)
        tokens = tokens + nn.functional.scaled_dot_product_attention(query, key, value)
        grown: Tensor = tokens + self.narrowing(self.activation(self.widening(self.norm2(tokens))))
        return grown


PAIRS = (
    Pair("a ResNet from a wider one", _narrow, _wide),
    Pair("a ResNet from a deeper one", partial(ResNet, 8, CLASSES, (10, 10, 16, 24)), _wide),
    Pair("four stages from three", PlainNet, _wide),
    Pair("three stages from four", _narrow, PlainNet),
    Pair("a transformer from a CNN", TinyViT, _wide),
    Pair("a CNN from a transformer", _narrow, TinyViT),
)


def batch(step: int = 0, size: int = BATCH, strong_view: bool = False) -> Batch:
    """Return a batch of images that differ from step to step."""
    draw = stream(0, "specimens", step)
    rows = torch.randperm(IMAGES, generator=draw)[:size]
    noise, colour = (torch.randn(2, size, 3, side, side, generator=draw) for side in (SIZE, 1))
    weak, strong = (view.contiguous(memory_format=torch.channels_last) for view in noise + colour)
    views = torch.zeros(size, dtype=torch.int64)
    return Batch(weak, DATA.labels[rows], rows, views, strong if strong_view else None, epoch=step / 100, step=step)


def _specimen(kind: Callable[[], nn.Module], seed: int) -> Tapped:
    weights, anatomy = _grown(kind, seed)
    net = kind()
    net.load_state_dict(weights)
    return Tapped(net, anatomy)


@cache
@torch.no_grad()
def _grown(kind: Callable[[], nn.Module], seed: int) -> tuple[dict[str, Tensor], Anatomy]:
    """Return weights like those of a trained network: BatchNorm statistics and scales, a head with large weights."""
    with seeded(seed, "specimen"):
        net = kind()
        anatomy = Anatomy.of(net, SIZE)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0.0, 0.2)
        head = net.get_submodule(str(anatomy.head))
        assert isinstance(head, nn.Linear)
        nn.init.normal_(head.weight, 0.0, 2 * head.in_features**-0.5)
        for step in range(20):
            net(batch(step).images)
        return net.state_dict(), anatomy


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))

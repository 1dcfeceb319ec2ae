"""Random parts of one image as torchvision draws them, from a generator of one's own instead of the global one.

torchvision's classes are set up anew for each image, which takes longer than to decode a small one. What is drawn is
the same to the bit: RandomResizedCrop's and RandomCrop's numbers after `torch.manual_seed`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from .views import AREA, RATIO

_TRIES = 10
_LOW, _HIGH = torch.tensor(RATIO).log().tolist()


class Box(NamedTuple):
    """A rectangle of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


def random_part(height: int, width: int, generator: torch.Generator) -> Box:
    """Draw a part of 8 to 100 % of the area, or the middle if none fits ten times."""
    number = torch.empty(1)
    for _ in range(_TRIES):
        area = height * width * number.uniform_(*AREA, generator=generator).item()
        ratio = number.uniform_(_LOW, _HIGH, generator=generator).exp_().item()
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return Box(_below(height - h + 1, generator), _below(width - w + 1, generator), h, w)
    w = round(height * RATIO[1]) if width / height > RATIO[1] else width
    h = round(width / RATIO[0]) if width / height < RATIO[0] else height
    return Box((height - h) // 2, (width - w) // 2, h, w)


def random_place(height: int, width: int, size: int, generator: torch.Generator) -> Box:
    """Draw where in an image a square of `size` pixels is."""
    top = _below(height - size + 1, generator) if height > size else 0
    left = _below(width - size + 1, generator) if width > size else 0
    return Box(top, left, size, size)


def _below(end: int, generator: torch.Generator) -> int:
    return int(torch.randint(end, (1,), generator=generator).item())


def pixels_of(image: Image.Image) -> Tensor:
    """Return the pixels of an RGB image, (3, H, W) uint8, channels last in memory."""
    content = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return content.view(image.height, image.width, 3).permute(2, 0, 1)


def cut(image: Image.Image, box: Box) -> Tensor:
    """Return the pixels of a part of an RGB image, (3, h, w) uint8."""
    top, left, height, width = box
    return pixels_of(image.crop((left, top, left + width, top + height)))

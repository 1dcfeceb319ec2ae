"""Strong augmentation: RandAugment and Cutout with numbers of each image's own, a batch at a time, on any device.

All operations give, pixel by pixel, what Pillow's give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

ROUNDS = 2  # operations an image
LARGEST_HOLE = 0.5  # of a side
HOLE_COLOUR = (125, 123, 114)  # the mean of CIFAR-10


@dataclass(frozen=True)
class AugmentParams:
    """Random draws for each of N images; all but `operations` are uniform between 0 and 1."""

    operations: Tensor  # (N, ROUNDS) int64, positions in `OPERATIONS`; stays on the CPU, where it decides what to run
    magnitudes: Tensor  # (N, ROUNDS) float64
    holes: Tensor  # (N, 3) float64: side, column and row of the centre

    @classmethod
    def draw(cls, count: int, generator: torch.Generator) -> AugmentParams:
        return cls(
            torch.randint(len(OPERATIONS), (count, ROUNDS), generator=generator),
            torch.rand(count, ROUNDS, dtype=torch.float64, generator=generator),
            torch.rand(count, 3, dtype=torch.float64, generator=generator),
        )

    def __getitem__(self, images: Tensor) -> AugmentParams:
        return AugmentParams(self.operations[images], self.magnitudes[images], self.holes[images])


def strengthen(images: Tensor, augment_params: AugmentParams) -> Tensor:
    """RandAugment (Cubuk et al., NeurIPS 2020, arXiv:1909.13719), then Cutout (DeVries & Taylor, arXiv:1708.04552).

    As MLKD's authors have them: two operations, drawn with replacement from all fourteen, each with a magnitude drawn
    from its whole range; then a square hole, whose side is up to half the image's, around any point of the image.

    (B, 3, S, S) uint8 -> (B, 3, S, S) uint8
    """
    magnitudes = augment_params.magnitudes.to(images.device)
    for operations, drawn in zip(augment_params.operations.T, magnitudes.T, strict=True):
        alike = operations.argsort(stable=True).to(images.device).split(operations.bincount(minlength=1).tolist())
        parts = [
            operation.apply(images[rows], operation.low + (operation.high - operation.low) * drawn[rows])
            for operation, rows in zip(OPERATIONS, alike, strict=False)
        ]
        images = torch.cat(parts)[torch.cat(alike).argsort()]
    return cut_out(images, augment_params.holes.to(images.device))


def cut_out(images: Tensor, holes: Tensor) -> Tensor:
    """(B, 3, S, S) uint8, (B, 3) -> (B, 3, S, S) uint8; as Pillow draws it, the hole takes in all pixels it touches."""
    size = images.shape[-1]
    side, *centre = (size * holes).unbind(1)
    side = side[:, None] * LARGEST_HOLE
    positions = torch.arange(size, device=images.device)
    within = []
    for middle in centre:
        start = (middle[:, None] - side / 2).clamp(min=0).floor()
        within.append((positions >= start) & (positions <= start + side))
    hole = within[1][:, None, :, None] & within[0][:, None, None, :]
    colour = torch.tensor(HOLE_COLOUR, dtype=torch.uint8, device=images.device)
    return torch.where(hole, colour[:, None, None], images)


# Operations: (n, 3, S, S) uint8, (n,) float64 -> (n, 3, S, S) uint8


def identity(images: Tensor, magnitude: Tensor) -> Tensor:
    return images


def auto_contrast(images: Tensor, magnitude: Tensor) -> Tensor:
    low, high = (extreme.double() for extreme in (images.amin((2, 3), True), images.amax((2, 3), True)))
    scale = torch.full_like(low, 255) / (high - low).clamp(min=1)
    return torch.where(high > low, (images * scale - low * scale).to(torch.uint8), images)


def equalize(images: Tensor, magnitude: Tensor) -> Tensor:
    from torchvision.transforms.v2 import functional as transforms  # takes two seconds

    equalized: Tensor = transforms.equalize(images)
    return equalized


def posterize(images: Tensor, magnitude: Tensor) -> Tensor:
    return images & (256 - 2 ** (8 - _each(magnitude).int())).to(torch.uint8)


def solarize(images: Tensor, magnitude: Tensor) -> Tensor:
    return torch.where(images < _each(magnitude), images, 255 - images)


def brightness(images: Tensor, magnitude: Tensor) -> Tensor:
    return _blend(torch.zeros_like(images), images, magnitude)


def colour(images: Tensor, magnitude: Tensor) -> Tensor:
    return _blend(_grey(images), images, magnitude)


def contrast(images: Tensor, magnitude: Tensor) -> Tensor:
    return _blend((_grey(images).double().mean((1, 2, 3), True) + 0.5).int(), images, magnitude)


def sharpness(images: Tensor, magnitude: Tensor) -> Tensor:
    smooth = images.int()
    inner = smooth[..., 1:-1, 1:-1]
    rows = smooth[..., :-2, :] + smooth[..., 1:-1, :] + smooth[..., 2:, :]
    sums = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] + 4 * inner
    inner.copy_((2 * sums + 13) // 26)  # a 13th of the sums, rounded; the border stays as it is
    return _blend(smooth, images, magnitude)


def shear_x(images: Tensor, magnitude: Tensor) -> Tensor:
    one, zero = torch.ones_like(magnitude), torch.zeros_like(magnitude)
    return _warp(images, (one, magnitude, zero), (zero, one, zero))


def shear_y(images: Tensor, magnitude: Tensor) -> Tensor:
    one, zero = torch.ones_like(magnitude), torch.zeros_like(magnitude)
    return _warp(images, (one, zero, zero), (magnitude, one, zero))


def translate_x(images: Tensor, magnitude: Tensor) -> Tensor:
    one, zero = torch.ones_like(magnitude), torch.zeros_like(magnitude)
    return _warp(images, (one, zero, magnitude * images.shape[-1]), (zero, one, zero))


def translate_y(images: Tensor, magnitude: Tensor) -> Tensor:
    one, zero = torch.ones_like(magnitude), torch.zeros_like(magnitude)
    return _warp(images, (one, zero, zero), (zero, one, magnitude * images.shape[-1]))


def rotate(images: Tensor, magnitude: Tensor) -> Tensor:
    cosine, sine, centre = magnitude.deg2rad().cos(), magnitude.deg2rad().sin(), images.shape[-1] / 2
    columns = (cosine, -sine, centre * (1 - cosine + sine))
    return _warp(images, columns, (sine, cosine, centre * (1 - cosine - sine)))


class Operation(NamedTuple):
    """An operation and the range of its magnitude."""

    apply: Callable[[Tensor, Tensor], Tensor]
    low: float = 0.0
    high: float = 0.0


OPERATIONS = (
    Operation(identity),
    Operation(auto_contrast),
    Operation(equalize),
    Operation(posterize, 4, 8),  # bits that are kept
    Operation(solarize, 0, 256),  # from which value on pixels are inverted
    Operation(brightness, 0.05, 0.95),  # the image's share, beside black's
    Operation(colour, 0.05, 0.95),  # beside its greys'
    Operation(contrast, 0.05, 0.95),  # beside its mean grey's
    Operation(sharpness, 0.05, 0.95),  # beside a smoothed image's
    Operation(shear_x, -0.3, 0.3),
    Operation(shear_y, -0.3, 0.3),
    Operation(translate_x, -0.3, 0.3),  # sides
    Operation(translate_y, -0.3, 0.3),
    Operation(rotate, -30, 30),  # degrees
)


def _each(magnitude: Tensor) -> Tensor:
    return magnitude[:, None, None, None]


def _grey(images: Tensor) -> Tensor:
    """(n, 3, S, S) uint8 -> (n, 1, S, S) int32"""
    red, green, blue = images.int().unbind(1)
    return (19595 * red + 38470 * green + 7471 * blue + 2**15 >> 16)[:, None]


def _blend(base: Tensor, images: Tensor, share: Tensor) -> Tensor:
    """base + share (images - base)"""
    base = base.int()
    return (base + _each(share).float() * (images.int() - base)).to(torch.uint8)


Row = tuple[Tensor, Tensor, Tensor]


def _warp(images: Tensor, columns: Row, rows: Row) -> Tensor:
    """A pixel (x, y) takes the colour at a x + b y + c, d x + e y + f with (a, b, c) and (d, e, f), else black.

    With integers, so that the outcome does not depend on the device.
    """
    count, channels, size = images.shape[:3]
    y, x = torch.arange(size, device=images.device)[:, None], torch.arange(size, device=images.device)

    def source(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        along_x, along_y, start = ((2**16 * v + 0.5).floor().long()[:, None, None] for v in (a, b, c + (a + b) / 2))
        return along_x * x + along_y * y + start >> 16  # (n, S, S)

    column, row = source(*columns), source(*rows)
    inside = ((column >= 0) & (column < size) & (row >= 0) & (row < size))[:, None]
    pixels = (row * size + column).clamp(0, size * size - 1).flatten(1)[:, None].expand(-1, channels, -1)
    return images.flatten(2).gather(2, pixels).view(count, channels, size, size) * inside

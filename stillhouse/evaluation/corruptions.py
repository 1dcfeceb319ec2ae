"""Corruptions of images, as a camera, a network or a sender may do them, at five strengths.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (Hendrycks & Dietterich, ICLR 2019,
arXiv:1903.12261). Four of theirs, on the pixels that a network is given, after cropping and resizing and before
normalisation. The authors' code has one set of parameters for CIFAR's 32 px and a harder one for ImageNet's 224 px:
images of up to 64 px take the former, larger ones the latter. The width of the blur is in pixels, so it grows with the
images, by S / 32 or S / 224; noise, brightness and JPEG's quality have no length, and stay.

| | images up to 64 px | larger images |
|---|---|---|
| noise, standard deviation of 1 | 0.04 0.06 0.08 0.09 0.10 | 0.08 0.12 0.18 0.26 0.38 |
| blur, standard deviation in px at 32 or 224 px | 0.4 0.6 0.7 0.8 1 | 1 2 3 4 6 |
| brightness, added to V of 1 | 0.05 0.1 0.15 0.2 0.3 | 0.1 0.2 0.3 0.4 0.5 |
| jpeg, quality of 100 | 80 65 58 50 40 | 25 18 15 10 7 |

All but JPEG are computed in float64 and rounded to the nearest of 256 levels; the authors' code cuts digits off. Their
published files of corrupted images hold other noise, so figures are near to those on them, but not the same.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ..rng import stream

STRENGTHS = 5
SMALL = 64  # px, the largest images that take the strengths for 32 px
_OF_SMALL, _OF_LARGE = 32, 224  # px
_REACH = 4.0  # standard deviations of the blur's kernel, on each side


@dataclass(frozen=True)
class Corruption:
    """A way to corrupt images.

    Args:
        name: Its name.
        small: Its five strengths for images of up to 64 px.
        large: Those for larger ones.
        apply: Takes pixels (N, 3, S, S) uint8, their indices in the data (N,), and a strength's parameter.
        unit: What its parameter is.
        is_length: True if the parameter is a number of pixels, which grows with the images.
    """

    name: str
    small: Sequence[float]
    large: Sequence[float]
    apply: Callable[[Tensor, Tensor, float], Tensor]
    unit: str
    is_length: bool = False

    def parameters(self, size: int) -> list[float]:
        """Return the five strengths for images of S x S pixels."""
        known, of = (self.small, _OF_SMALL) if size <= SMALL else (self.large, _OF_LARGE)
        return [value * size / of if self.is_length else value for value in known]


def noise(pixels: Tensor, indices: Tensor, deviation: float) -> Tensor:
    """Add independent Gaussian noise to every value: x / 255 + N(0, deviation^2).

    What is drawn for an image depends on its index in the data only, so neither on the batch nor on the strength.
    """
    shape = pixels.shape[1:]
    drawn = torch.stack(
        [torch.randn(shape, generator=stream(0, "noise", int(i)), dtype=torch.float64) for i in indices.tolist()]
    )
    return _levels(pixels.double() / 255 + deviation * drawn)


def blur(pixels: Tensor, indices: Tensor, deviation: float) -> Tensor:
    """Convolve with a Gaussian of this standard deviation in px, cut off at 4 of them; the border goes on outside."""
    reach = int(_REACH * deviation + 0.5)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float64) / deviation).square())
    kernel /= kernel.sum()
    count, channels, height, width = pixels.shape
    planes = F.pad(pixels.double().reshape(-1, 1, height, width) / 255, (reach, reach, reach, reach), mode="replicate")
    planes = F.conv2d(F.conv2d(planes, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))
    return _levels(planes.reshape(count, channels, height, width))


def brightness(pixels: Tensor, indices: Tensor, added: float) -> Tensor:
    """Add to V in HSV, at most to 1, and leave hue and saturation: RGB is scaled by V' / V, where V = max(R, G, B)."""
    values = pixels.double() / 255
    before = values.amax(1, keepdim=True)
    after = (before + added).clamp(max=1)
    return _levels(torch.where(before > 0, values * after / before.clamp(min=1 / 255), after))


def jpeg(pixels: Tensor, indices: Tensor, quality: float) -> Tensor:
    """Write each image as a JPEG of this quality by Pillow, with its usual halved colours, and read it again."""
    decoded = []
    for image in pixels.permute(0, 2, 3, 1).contiguous().numpy():
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=int(quality))
        with Image.open(file) as opened:
            decoded.append(np.asarray(opened.convert("RGB")))
    return torch.from_numpy(np.stack(decoded)).permute(0, 3, 1, 2).contiguous()


def _levels(values: Tensor) -> Tensor:
    return values.mul(255).round().clamp(0, 255).to(torch.uint8)


CORRUPTIONS = (
    Corruption("jpeg", (80, 65, 58, 50, 40), (25, 18, 15, 10, 7), jpeg, "quality"),
    Corruption("blur", (0.4, 0.6, 0.7, 0.8, 1.0), (1, 2, 3, 4, 6), blur, "px", is_length=True),
    Corruption("noise", (0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38), noise, "deviation"),
    Corruption("brightness", (0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5), brightness, "added to V"),
)

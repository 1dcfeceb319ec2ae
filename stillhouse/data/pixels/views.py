"""Training views beyond a finite number: random resized parts of small images, and rotations, a batch at a time.

Each takes the numbers that were drawn for each image, so a view can be shown again on any device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...ranges import Crop as Crop

SHOWN: dict[Crop, str] = {
    "auto": "",
    "shifted": "shifted crops",
    "reflected": "shifted crops with reflected borders",
    "resized": "random parts resized",
    "none": "not cropped at random",
}
AREA = (0.08, 1.0)  # of a random part, as a share of the image's
RATIO = (3 / 4, 4 / 3)  # its width by its height
_TRIES = 10


@dataclass(frozen=True)
class Parts:
    """A rectangle within each of N square images."""

    top: Tensor  # (N,) int64
    left: Tensor
    height: Tensor
    width: Tensor

    @classmethod
    def draw(cls, count: int, size: int, generator: torch.Generator) -> Parts:
        """Draw parts of images of `size` pixels as torchvision's RandomResizedCrop does.

        Area and ratio (on a logarithmic scale) are uniform, tried up to ten times until the part fits; if none does it
        is the whole image.
        """
        drawn = torch.rand(2, count, _TRIES, dtype=torch.float64, generator=generator)
        areas = size**2 * (AREA[0] + (AREA[1] - AREA[0]) * drawn[0])
        low, high = (torch.tensor(ratio, dtype=torch.float64).log() for ratio in RATIO)
        ratios = (low + (high - low) * drawn[1]).exp()
        widths, heights = (areas * ratios).sqrt().round().long(), (areas / ratios).sqrt().round().long()
        fits = (widths > 0) & (widths <= size) & (heights > 0) & (heights <= size)
        first = fits.int().argmax(1, keepdim=True)  # 0 if none fits
        width, height = (sides.gather(1, first)[:, 0].where(fits.any(1), size) for sides in (widths, heights))
        places = torch.rand(2, count, dtype=torch.float64, generator=generator)
        top, left = ((place * (size - side + 1)).long() for place, side in zip(places, (height, width), strict=True))
        return cls(top, left, height, width)

    def __getitem__(self, images: Tensor) -> Parts:
        return Parts(self.top[images], self.left[images], self.height[images], self.width[images])


def resized_parts(images: Tensor, parts: Parts) -> Tensor:
    """Cut a part out of each image and resize it to the image's own size: (B, S, S, 3) uint8 -> (B, S, S, 3) uint8.

    Bilinear, as torchvision's resized_crop. A part is never larger than the image, so there is nothing to antialias.
    """
    size = images.shape[1]
    rows = _weights(parts.top, parts.height, size).to(images.device)
    columns = _weights(parts.left, parts.width, size).to(images.device)
    resized = rows @ images.double().flatten(2)  # (B, S, S * 3)
    resized = columns[:, None] @ resized.view(images.shape)
    return resized.add_(0.5).floor_().clamp_(0, 255).to(torch.uint8)


def _weights(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Return the weight of each old pixel in each new one: (B,), (B,) -> (B, S, S) float64."""
    step = length.double()[:, None] / size
    middle = (torch.arange(size, dtype=torch.float64) + 0.5) * step - 0.5  # (B, S), within the part
    middle = middle.clamp(min=0).minimum(length[:, None] - 1.0) + start[:, None]
    return (1 - (middle[:, :, None] - torch.arange(size, dtype=torch.float64)).abs()).clamp(min=0)

"""Images on disk decoded, cropped and resized a batch at a time, by workers or in the process that trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from ..rng import stream_seed
from .decode import Decoding, quiet, rgb
from .packed import Packed
from .pixels.crops import cut, pixels_of, random_part, random_place
from .pixels.square import KEPT, Resize, evaluated, for_random_crops, for_shifted_crops, resized
from .pixels.transparency import colour_of
from .pixels.views import Crop


@dataclass(frozen=True)
class Reader(Dataset[Tensor | str]):
    """Decodes the images of a batch: (V, B, S, S, 3) uint8, or the sentence that says why one of them cannot."""

    sources: Packed
    decoding: Decoding
    size: int
    resize: Resize
    crop: Crop
    seeds: tuple[int, ...] = ()  # of this epoch, one for each of V random crops; none: as it is evaluated, and V is 1

    def __post_init__(self) -> None:
        import torchvision.transforms.v2  # noqa: F401 (it takes two seconds; once, before there are workers)

    def __getitems__(self, indices: Sequence[int]) -> Tensor | str:
        """Read a whole batch, which PyTorch's loader asks for where a data set can."""
        read = torch.empty(max(1, len(self.seeds)), len(indices), self.size, self.size, 3, dtype=torch.uint8)
        generator = torch.Generator()
        with quiet():
            for place, index in enumerate(indices):
                source = self.sources[index]
                try:
                    image = rgb(source, str(source), self.decoding)
                except ValueError as error:
                    return str(error)  # an exception would reach the user wrapped in the worker's stack trace
                for view, shown in enumerate(self._views(image, index, generator)):
                    read[view, place] = shown.permute(1, 2, 0)
        return read

    def _views(self, image: Image.Image, index: int, generator: torch.Generator) -> list[Tensor]:
        """Return the image as it is shown, V times (3, S, S)."""
        colour = colour_of(self.decoding.background)
        if not self.seeds or self.crop == "none":
            return [evaluated(pixels_of(image), self.size, self.resize, colour, KEPT)] * max(1, len(self.seeds))
        if self.crop == "shifted":
            pixels = for_shifted_crops(pixels_of(image), self.size, self.resize, colour)
        elif self.resize != "crop":
            pixels = for_random_crops(pixels_of(image), self.size, self.resize, colour)
        else:
            pixels = None  # parts are cut out before they become tensors
        views = []
        for seed in self.seeds:
            generator.manual_seed(stream_seed(seed, "crop", index))
            height, width = (image.height, image.width) if pixels is None else pixels.shape[1:]
            if self.crop == "shifted":
                box = random_place(height, width, self.size, generator)
            else:
                box = random_part(height, width, generator)
            part = cut(image, box) if pixels is None else _part(pixels, *box)
            views.append(resized(part, self.size, self.size))
        return views


def _part(pixels: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    return pixels[:, top : top + height, left : left + width]

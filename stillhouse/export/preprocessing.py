"""All that turns an image file into a network's input, as a run's file describes it; the pixels are training's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from torch import Tensor

from ..data.arrays import MAX_SIZE
from ..data.decode import Decoding, Source, rgb
from ..data.options import LARGEST, SMALLEST
from ..data.pixels.square import IN_WORDS, KEPT, Resize, evaluated, in_words
from ..data.pixels.transparency import BACKGROUND, colour_of
from ..models.input_spec import IMAGENET, Channels, InputSpec

_MOST_OFF = 0.05  # levels of 256, by rounding
_NEEDED = "image_size, mean and std"


@dataclass(frozen=True)
class Preprocessing:
    """Steps from an image file to a network's input.

    Args:
        size: Height and width in px.
        mean: Of each channel, on a scale from 0 to 1.
        std: Of each channel, on the same scale.
        resize: "crop" keeps the middle square, "squash" changes the shape, "pad" adds background, "squash_crop" changes
            the shape and keeps the middle.
        share: Part of the shorter side that "crop" keeps; 1 for images that were held in memory.
        background: Colour behind transparent pixels and beside padded images; "none" ignores transparency.
        max_value: Value of white in images of more than 8 bits; None: the largest of their type.
        is_certain: False if `share` is not known but follows from the other values.
    """

    size: int
    mean: Channels
    std: Channels
    resize: Resize = "crop"
    share: float = 1.0
    background: str = BACKGROUND
    max_value: float | None = None
    is_certain: bool = True

    @classmethod
    def of_header(cls, about: Mapping[str, object], name: str) -> Preprocessing:
        """Return what the header of a run's file says.

        Files of version 0.1.0 do not say how much of an image was used: of images that were read from disk, which are
        normalised as ImageNet or larger than `MAX_SIZE`, the middle; of others, which were held in memory, all of it.

        Args:
            name: Name of the file, for messages.

        Raises:
            ValueError: If it does not say enough, or says what cannot be.
        """
        spec = InputSpec.of_header(about)
        if spec.size is None or spec.mean is None or spec.std is None:
            raise ValueError(
                f"{name} does not say how its images were made ({_NEEDED}); give a file that stillhouse wrote"
            )
        said = about.get("images")
        said = said if isinstance(said, dict) else {}
        share = about.get("share")
        is_disk = (spec.mean, spec.std) == IMAGENET or spec.size > MAX_SIZE
        return cls.checked(
            name,
            {
                **{"size": spec.size, "mean": spec.mean, "std": spec.std, **said},
                "share": (KEPT if is_disk else 1.0) if share is None else share,
                "is_certain": share is not None,
            },
        )

    @classmethod
    def checked(cls, name: str, values: Mapping[str, Any]) -> Preprocessing:
        """Return the steps with these values.

        Raises:
            ValueError: If they are not steps.
        """
        try:
            known = {key: values[key] for key in cls.__dataclass_fields__ if key in values}
            for key in ("share", "max_value"):
                if known.get(key) is not None:
                    known[key] = float(known[key])
            known["mean"], known["std"] = (_three(known[key]) for key in ("mean", "std"))
            steps = cls(**known)
            _check(steps)
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise ValueError(f"{name} is damaged (it cannot be preprocessed for: {error}); get it again") from error
        return steps

    def pixels(self, source: Source | bytes, name: str) -> Tensor:
        """Read an image: (3, S, S) uint8.

        Args:
            name: Name of the image in messages.

        Raises:
            ValueError: If it cannot be read.
        """
        from torchvision.transforms.v2 import functional as transforms  # takes two seconds

        image: Tensor = transforms.pil_to_tensor(rgb(source, name, Decoding(self.background, self.max_value)))
        if self.share == 1 and image.shape[1:] == (self.size, self.size):  # in memory these were left as they are
            return image
        return evaluated(image, self.size, self.resize, colour_of(self.background), self.share)

    def normalise(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) uint8 -> float32"""
        mean, std = (torch.tensor(values, device=pixels.device).view(3, 1, 1) for values in (self.mean, self.std))
        return pixels.float().div(255).sub(mean).div(std)

    def pixels_of(self, images: Tensor, mean: Channels, std: Channels) -> Tensor:
        """Return the pixels that were normalised with a mean and std: (N, 3, S, S) float32 -> uint8, exactly.

        Raises:
            ValueError: If these images have another size, or were not made of pixels like this.
        """
        if images.shape[1:] != (3, self.size, self.size):
            raise ValueError(
                f"the network takes images of {self.size} px, not {images.shape[-1]}; leave out --image_size"
            )
        of_mean, of_std = (torch.tensor(values, device=images.device).view(3, 1, 1) for values in (mean, std))
        levels = images.mul(of_std).add(of_mean).mul(255)
        pixels = levels.round()
        if (levels - pixels).abs().max() > _MOST_OFF or pixels.min() < 0 or pixels.max() > 255:
            raise ValueError("the images of the data are not pixels from 0 to 255, normalised by their mean and std")
        return pixels.to(torch.uint8)

    def words(self) -> str:
        """Return a clause for people."""
        return f"{self.size}x{self.size} pixels, {in_words(self.resize, self.share)}, on {self.background}"

    def to_dict(self) -> dict[str, object]:
        """Return the values for a file's metadata, from which `checked` makes the steps again."""
        return {**asdict(self), "exif": "applied", "interpolation": "bilinear, antialiased"}


def _three(values: object) -> Channels:
    if not isinstance(values, list | tuple) or len(values) != 3:
        raise ValueError("mean and std need three numbers")
    return cast(Channels, tuple(float(value) for value in values))


def _check(steps: Preprocessing) -> None:
    if isinstance(steps.size, bool) or not isinstance(steps.size, int) or not SMALLEST <= steps.size <= LARGEST:
        raise ValueError(f"its size is {str(steps.size)[:20]}")
    if not all(map(math.isfinite, (*steps.mean, *steps.std))) or min(steps.std) <= 0:
        raise ValueError("its mean or std is not a number above 0")
    if steps.resize not in IN_WORDS:
        raise ValueError(f"its resize is {str(steps.resize)[:20]!r}")
    if not isinstance(steps.background, str):
        raise ValueError("its background is not a colour")
    if not 0.1 <= steps.share <= 1:
        raise ValueError(f"its share is {steps.share:g}")
    _ = Decoding(steps.background, steps.max_value)  # which checks its own

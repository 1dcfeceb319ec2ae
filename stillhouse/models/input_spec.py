"""Images that a trained network expects: their size and normalisation, and the source of this knowledge."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from ..data import Data, Folder

FILE, OPTIONS = "its file", "the options"  # sources
Channels = tuple[float, float, float]
IMAGENET: tuple[Channels, Channels] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# Normalisations of published networks, to be tried on a network that does worse than it should.
USUAL: dict[str, tuple[Channels, Channels]] = {
    "ImageNet's": IMAGENET,
    "mean 0.5, std 0.5": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "CLIP's": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "pixels from 0 to 1": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


@dataclass(frozen=True)
class InputSpec:
    """Size and normalisation of the images that a network was trained on; None where they are unknown.

    Args:
        size: Height and width in px.
        mean: Of each channel, on a scale from 0 to 1.
        std: Of each channel, on the same scale.
        source: The source of these values, for messages.
        is_certain: True if the network was trained like this; False if only networks of its name usually are.
    """

    size: int | None = None
    mean: Channels | None = None
    std: Channels | None = None
    source: str = ""
    is_certain: bool = True

    def or_else(self, other: InputSpec) -> InputSpec:
        """Return a copy with unknown values taken from another."""
        said = (self.size, self.mean, self.std) != (None, None, None)
        mean, std = (self.mean, self.std) if self.mean or self.std else (other.mean, other.std)
        return InputSpec(
            self.size or other.size,
            mean,
            std,
            self.source if said else other.source,
            self.is_certain if self.mean or self.std else other.is_certain,
        )

    @property
    def is_binding(self) -> bool:
        """True if the network was trained on images of this size, not just published for it."""
        return self.source in (FILE, OPTIONS)

    def size_of(self, data: Data) -> int | None:
        """Return the size that the data should have for this network; None if their own will do.

        A size that a network was just published for is not forced on small images in memory.
        """
        return self.size if self.is_binding or isinstance(data.train, Folder) else None

    @classmethod
    def typed(
        cls, mean: Sequence[float] | None, std: Sequence[float] | None, size: int | None, prefix: str
    ) -> InputSpec:
        """Return the values of the options --{prefix}mean, --{prefix}std and size.

        Raises:
            ValueError: If they are not numbers that a mean or a standard deviation can be.
        """
        if (mean is None) != (std is None):
            given, other = ("mean", "std") if std is None else ("std", "mean")
            raise ValueError(f"--{prefix}{given} needs --{prefix}{other} as well")
        if size is not None and size < 1:
            raise ValueError(f"--{prefix}size must be positive, in px, not {size}")
        return cls(
            size,
            _three(f"--{prefix}mean", mean, low=0.0),
            _three(f"--{prefix}std", std, low=1e-6),
            OPTIONS if size or mean else "",
        )

    @classmethod
    def of_header(cls, about: Mapping[str, object]) -> InputSpec:
        """Return the values in the header of a run's file, without those that are not numbers."""
        size = about.get("image_size")
        size = size if isinstance(size, int) and not isinstance(size, bool) and 0 < size < 10**5 else None
        mean, std = (_channels(about.get(name)) for name in ("mean", "std"))
        if mean is None or std is None or min(std) <= 0:
            mean = std = None
        return cls(size, mean, std, FILE if size or mean else "")

    @classmethod
    def of_settings(cls, settings: object, is_pretrained: bool) -> InputSpec:
        """Return the values in timm's `pretrained_cfg`.

        Args:
            is_pretrained: True if the weights are those that the settings describe. Otherwise nothing is certain,
                and the size is unknown.
        """
        if not isinstance(settings, Mapping):
            return cls()
        mean, std, shape = (settings.get(name) for name in ("mean", "std", "input_size"))
        mean, std = _channels(mean), _channels(std)
        if mean is None or std is None or min(std) <= 0:
            return cls()
        size = shape[-1] if is_pretrained and isinstance(shape, list | tuple) and shape else None
        return cls(size, mean, std, "timm", is_pretrained)

    @classmethod
    def of_torchvision(cls, name: str, is_pretrained: bool) -> InputSpec:
        """Return the values for torchvision's pretrained weights; arguments as above."""
        from torchvision import models

        try:
            transforms = models.get_model_weights(name).DEFAULT.transforms()
        except (ValueError, AttributeError):
            return cls()
        mean, std = (_channels(getattr(transforms, key, None)) for key in ("mean", "std"))
        size = (getattr(transforms, "crop_size", None) or [None])[0] if is_pretrained else None
        return cls(size, mean, std, "torchvision", is_pretrained) if mean and std else cls()


def _channels(value: object) -> Channels | None:
    if not isinstance(value, list | tuple) or len(value) != 3:
        return None
    if not all(isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one) for one in value):
        return None
    return cast(Channels, tuple(float(one) for one in value))


def _three(option: str, values: Sequence[float] | None, low: float) -> Channels | None:
    if values is None:
        return None
    numbers = list(values) * (3 if len(values) == 1 else 1)
    if len(numbers) != 3:
        raise ValueError(f"{option} takes one number or three, not {len(values)}")
    if not all(math.isfinite(one) and low <= one <= 1 for one in numbers):
        scale = "; divide by 255" if any(1 < one <= 255 for one in numbers) else ""
        kind = "from 0 to 1" if low == 0 else "above 0 and at most 1"
        raise ValueError(
            f"{option} must be {kind}, as pixels are, not {', '.join(f'{one:g}' for one in values)}{scale}"
        )
    return _channels(numbers)


def shown(values: Iterable[float]) -> str:
    """Return a mean or std as messages show it: 0.5 for three equal values of 0.5."""
    texts = [f"{value:.4g}" for value in values]
    return texts[0] if len(set(texts)) == 1 else " ".join(texts)

"""Small images in memory, and augmentation that can be replayed: a view is an integer, crops and flips are batched.

Random parts and rotations, which have no small number of outcomes, are drawn beside it. Left out on purpose, except in
the strong view: mixing and colours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import distributed
from ..batch import Batch
from ..rng import stream
from .dataset import Channels, Drawn, Split
from .options import DEFAULTS, LoadOptions
from .pixels.views import SHOWN, Parts, resized_parts
from .randaugment import AugmentParams, rotate, strengthen

MANY = 1024  # images; so many at once are made strong in half the time that single batches take


@dataclass(frozen=True)
class _Drawn:
    """Draws for each of N images, on the CPU."""

    views: Tensor  # (N,) int64, see `InMemory`
    parts: Parts | None = None
    angles: Tensor | None = None  # (N,) float64, degrees

    def __getitem__(self, images: Tensor) -> _Drawn:
        parts, angles = self.parts, self.angles
        return _Drawn(
            self.views[images],
            None if parts is None else parts[images],
            None if angles is None else angles[images],
        )


class InMemory(Split):
    """Images up to 64 pixels as one uint8 tensor on the training device, with the standard CIFAR augmentation.

    "4 pixels are padded on each side, and a 32x32 crop is randomly sampled from the padded image or its horizontal
    flip" (He et al., CVPR 2016, arXiv:1512.03385). With padding p a view k says which crop and whether flipped:
    k % (2p+1)^2 = top * (2p+1) + left, k // (2p+1)^2 = flipped. The padding is black, added before normalisation, as
    in torchvision's RandomCrop(32, padding=4), RandomHorizontalFlip(), ToTensor(), Normalize(mean, std).

    Only the unpadded images are stored; each batch is padded when it is drawn.

    With `crop` "resized" or a `rotation` the number of views has no bound, and the integer says only which shift and
    whether flipped.

    Args:
        images: (N, S, S, 3) uint8. Moved to the device at first use and kept there.
        options: Beside what `Split` reads, `crop`, `rotation` and `flip`: half the views are mirrored unless it is
            False.
        padding: Pixels on each side. None: 4 up to 32 pixels, an eighth of the size above; none where nothing is
            shifted.
    """

    share = 1.0

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        options: LoadOptions = DEFAULTS,
        *,
        mean: Channels,
        std: Channels,
        padding: int | None = None,
    ):
        super().__init__(labels, options)
        count, size = images.shape[:2]
        if images.dtype != torch.uint8 or images.shape != (count, size, size, 3):
            raise ValueError(f"images must be (N, S, S, 3) uint8, not {tuple(images.shape)} {images.dtype}")
        if len(labels) != count:
            raise ValueError(f"each image needs a label: there are {count} images and {len(labels)} labels")
        self.images = images
        self.crop = "shifted" if options.crop == "auto" else options.crop
        shifts = 0 if self.crop in ("resized", "none") else 4 if size <= 32 else size // 8
        self.padding = shifts if padding is None else padding
        self.flip, self.rotation = options.flip is not False, options.rotation
        self._crops = (2 * self.padding + 1) ** 2
        self._numbered_views = self._crops * (2 if self.flip else 1)
        self.num_views = None if self.rotation or self.crop == "resized" else self._numbered_views
        self._labels = labels
        # Repeated over a row of pixels, so that the last dimension is long enough to vectorise.
        self._scale = torch.tensor([1 / (255 * s) for s in std]).repeat(size)  # (S * 3,)
        self._shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)]).repeat(size)

    def view(self, indices: Tensor, views: Tensor) -> Tensor:
        """Return images as augmentation shows them: (B,), (B,) -> (B, 3, S, S) float32, normalised, channels_last.

        Both arguments are int64 on the device of the images (see `to`).
        """
        return self._normalise(self._pixels(indices, views, _Drawn(views)))

    def to(self, device: torch.device | str) -> InMemory:
        """Move the images to where they are used, and return itself."""
        if self.images.device != torch.empty(0, device=device).device:
            self.images, self._labels = self.images.to(device), self._labels.to(device)
            self._scale, self._shift = self._scale.to(device), self._shift.to(device)
        return self

    def describe(self) -> str:
        words = [super().describe(), "mirrored at random" if self.flip else "never mirrored"]
        words += [SHOWN[self.crop]] if self.crop != "shifted" else []
        words += [f"turned by up to {self.rotation:g} degrees"] if self.rotation else []
        return ", ".join(words)

    def batches(self, device: torch.device | str, batch_size: int | None = None) -> Iterator[Batch]:
        self.to(device)
        size, indices = batch_size or self.batch_size, torch.arange(len(self), device=device)
        parts = list(zip(*(torch.split(t, size) for t in (self.images, self._labels, indices)), strict=True))
        for images, labels, where in distributed.every(parts):
            yield Batch(self._normalise(images), labels, where, seed=self.seed)

    def _drawn(self, epoch: int, order: Tensor, device: torch.device) -> Iterator[Drawn]:
        self.to(device)
        drawn = self._draw(stream(self.seed, "views", epoch))
        strong = self._strong(epoch, order, device) if self.strong_view else repeat(None)
        views, labels, there = drawn.views[order].to(device), self.labels[order].to(device), order.to(device)
        parts = (torch.split(t, self.batch_size) for t in (order, there, views, labels))
        for here, indices, view, label in zip(*parts, strict=True):
            images = self._normalise(self._pixels(indices, view, drawn[here]))
            yield Drawn(images, label, indices, None if self.num_views is None else view, next(strong))

    def _draw(self, generator: torch.Generator) -> _Drawn:
        count, size = self.images.shape[:2]
        views = torch.randint(self._numbered_views, (count,), generator=generator)
        parts = Parts.draw(count, size, generator) if self.crop == "resized" else None
        turns = torch.rand(count, dtype=torch.float64, generator=generator) if self.rotation else None
        return _Drawn(views, parts, None if turns is None else self.rotation * (2 * turns - 1))

    def _strong(self, epoch: int, order: Tensor, device: torch.device) -> Iterator[Tensor]:
        generator = stream(self.seed, "strong view", epoch)
        drawn = self._draw(generator)
        augment_params = AugmentParams.draw(len(self), generator)
        ahead = max(1, MANY // self.batch_size) * self.batch_size
        for indices in torch.split(order, ahead):
            there, views = indices.to(device), drawn.views[indices].to(device)
            images = self._pixels(there, views, drawn[indices]).permute(0, 3, 1, 2)
            for batch in torch.split(strengthen(images, augment_params[indices]), self.batch_size):
                yield self._normalise(batch.permute(0, 2, 3, 1))

    def _pixels(self, indices: Tensor, views: Tensor, drawn: _Drawn) -> Tensor:
        """(B,), (B,), what was drawn for these B -> (B, S, S, 3) uint8"""
        images = self.images.index_select(0, indices)
        if drawn.parts is not None:
            images = resized_parts(images, drawn.parts)
        if self.padding:
            images = self._crop(images, views % self._crops)
        if drawn.angles is not None:
            images = rotate(images.permute(0, 3, 1, 2), drawn.angles.to(images.device)).permute(0, 2, 3, 1)
        if self.flip:
            images = torch.where((views >= self._crops)[:, None, None, None], images.flip(2), images)
        return images

    def _crop(self, images: Tensor, offset: Tensor) -> Tensor:
        """(B, S, S, 3), (B,) -> (B, S, S, 3)"""
        padding, side, (count, size) = self.padding, 2 * self.padding + 1, images.shape[:2]
        if self.crop == "reflected":
            back = torch.arange(-padding, size + padding, device=images.device).abs()
            back = torch.where(back < size, back, 2 * (size - 1) - back)
            padded = images[:, back][:, :, back].contiguous()
        else:
            padded = F.pad(images, (0, 0, padding, padding, padding, padding))
        s = padded.stride()
        crops = padded.as_strided((count, side, side, size, size, 3), (s[0], s[1], s[2], s[1], s[2], s[3]))
        return crops[torch.arange(count, device=images.device), offset // side, offset % side]

    def _normalise(self, images: Tensor) -> Tensor:
        """(B, S, S, 3) uint8 -> (B, 3, S, S) float32, channels_last"""
        rows = torch.addcmul(self._shift, images.flatten(2).float(), self._scale)
        return rows.view(images.shape).permute(0, 3, 1, 2)

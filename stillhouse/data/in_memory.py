"""Small images in memory, and augmentation that can be replayed: a view is an integer, crops and flips are batched.

Left out on purpose, except in the strong view: mixing, and other augmentation without a small number of outcomes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import distributed
from ..batch import Batch
from ..rng import stream
from .dataset import Channels, Drawn, Split
from .options import DEFAULTS, LoadOptions
from .randaugment import AugmentParams, strengthen

MANY = 1024  # images; so many at once are made strong in half the time that single batches take


class InMemory(Split):
    """Images up to 64 pixels as one uint8 tensor on the training device, with the standard CIFAR augmentation.

    "4 pixels are padded on each side, and a 32x32 crop is randomly sampled from the padded image or its horizontal
    flip" (He et al., CVPR 2016, arXiv:1512.03385). With padding p a view k says which crop and whether flipped:
    k % (2p+1)^2 = top * (2p+1) + left, k // (2p+1)^2 = flipped. The padding is black, added before normalisation, as
    in torchvision's RandomCrop(32, padding=4), RandomHorizontalFlip(), ToTensor(), Normalize(mean, std).

    Only the unpadded images are stored; each batch is padded when it is drawn.

    Args:
        images: (N, S, S, 3) uint8. Moved to the device at first use and kept there.
        options: Beside what `Split` reads, `flip`: half the views are mirrored unless it is False.
        padding: Pixels on each side. None: 4 up to 32 pixels, an eighth of the size above.
    """

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
        self.padding = (4 if size <= 32 else size // 8) if padding is None else padding
        self.flip = options.flip is not False
        self._crops = (2 * self.padding + 1) ** 2
        self.num_views = self._crops * (2 if self.flip else 1)
        self._labels = labels
        # Repeated over a row of pixels, so that the last dimension is long enough to vectorise.
        self._scale = torch.tensor([1 / (255 * s) for s in std]).repeat(size)  # (S * 3,)
        self._shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)]).repeat(size)

    def view(self, indices: Tensor, views: Tensor) -> Tensor:
        """Return images as augmentation shows them: (B,), (B,) -> (B, 3, S, S) float32, normalised, channels_last.

        Both arguments are int64 on the device of the images (see `to`).
        """
        return self._normalise(self._pixels(indices, views))

    def to(self, device: torch.device | str) -> InMemory:
        """Move the images to where they are used, and return itself."""
        if self.images.device != torch.empty(0, device=device).device:
            self.images, self._labels = self.images.to(device), self._labels.to(device)
            self._scale, self._shift = self._scale.to(device), self._shift.to(device)
        return self

    def describe(self) -> str:
        return f"{super().describe()}, {'mirrored at random' if self.flip else 'never mirrored'}"

    def batches(self, device: torch.device | str, batch_size: int | None = None) -> Iterator[Batch]:
        self.to(device)
        size, indices = batch_size or self.batch_size, torch.arange(len(self), device=device)
        parts = list(zip(*(torch.split(t, size) for t in (self.images, self._labels, indices)), strict=True))
        for images, labels, where in distributed.every(parts):
            yield Batch(self._normalise(images), labels, where, seed=self.seed)

    def _drawn(self, epoch: int, order: Tensor, device: torch.device) -> Iterator[Drawn]:
        self.to(device)
        assert self.num_views is not None
        drawn = torch.randint(self.num_views, (len(self),), generator=stream(self.seed, "views", epoch))
        strong = self._strong(epoch, order, device) if self.strong_view else repeat(None)
        views, labels, order = drawn[order].to(device), self.labels[order].to(device), order.to(device)
        parts = (torch.split(t, self.batch_size) for t in (order, views, labels))
        for indices, view, label in zip(*parts, strict=True):
            yield Drawn(self.view(indices, view), label, indices, view, next(strong))

    def _strong(self, epoch: int, order: Tensor, device: torch.device) -> Iterator[Tensor]:
        generator = stream(self.seed, "strong view", epoch)
        assert self.num_views is not None
        views = torch.randint(self.num_views, (len(self),), generator=generator)
        augment_params = AugmentParams.draw(len(self), generator)
        ahead = max(1, MANY // self.batch_size) * self.batch_size
        for indices in torch.split(order, ahead):
            images = self._pixels(indices.to(device), views[indices].to(device)).permute(0, 3, 1, 2)
            for batch in torch.split(strengthen(images, augment_params[indices]), self.batch_size):
                yield self._normalise(batch.permute(0, 2, 3, 1))

    def _pixels(self, indices: Tensor, views: Tensor) -> Tensor:
        """(B,), (B,) -> (B, S, S, 3) uint8"""
        images = self.images.index_select(0, indices)
        if self.padding:
            images = self._crop(images, views % self._crops)
        if self.flip:
            images = torch.where((views >= self._crops)[:, None, None, None], images.flip(2), images)
        return images

    def _crop(self, images: Tensor, offset: Tensor) -> Tensor:
        """(B, S, S, 3), (B,) -> (B, S, S, 3)"""
        padding, side, (count, size) = self.padding, 2 * self.padding + 1, images.shape[:2]
        padded = F.pad(images, (0, 0, padding, padding, padding, padding))
        s = padded.stride()
        crops = padded.as_strided((count, side, side, size, size, 3), (s[0], s[1], s[2], s[1], s[2], s[3]))
        return crops[torch.arange(count, device=images.device), offset // side, offset % side]

    def _normalise(self, images: Tensor) -> Tensor:
        """(B, S, S, 3) uint8 -> (B, 3, S, S) float32, channels_last"""
        rows = torch.addcmul(self._shift, images.flatten(2).float(), self._scale)
        return rows.view(images.shape).permute(0, 3, 1, 2)

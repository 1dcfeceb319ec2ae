"""What a training step reads: a `Batch` of images, and the `DataInfo` of the data set it comes from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .rng import stream


@dataclass(frozen=True)
class Batch:
    """Images with everything a method may ask about them. All tensors are on the training device."""

    images: Tensor  # (N, 3, H, W), normalised, channels_last
    labels: Tensor  # (N,) int64
    indices: Tensor  # (N,) int64, position of each image in the training set
    views: Tensor | None = None  # (N,) int64, what augmentation drew, where that is finite (see data/views.py)
    strong: Tensor | None = None  # (N, 3, H, W), the same images augmented strongly, if the data gives a second view
    epoch: float = 0.0  # epochs of this phase done so far, fractional
    step: int = 0  # steps done since the run began, over all phases
    seed: int = 0  # of the run
    active: Tensor | None = None  # (N,) zeros and ones, the samples that a loss is asked about; None: all

    def rows(self, keep: Tensor) -> Batch:
        """The same batch for some of its samples; `keep` is a mask or indices over N."""
        views, strong, active = (
            None if tensor is None else tensor[keep] for tensor in (self.views, self.strong, self.active)
        )
        images, labels, indices = self.images[keep], self.labels[keep], self.indices[keep]
        return replace(self, images=images, labels=labels, indices=indices, views=views, strong=strong, active=active)

    def generator(self, purpose: str) -> torch.Generator:
        """Random numbers for one purpose at this step: the same whatever else draws, and after a resume."""
        return stream(self.seed, purpose, self.step, device=self.images.device)


@dataclass(frozen=True)
class DataInfo:
    """What a method may know about the data set and the run."""

    num_classes: int
    image_size: int
    labels: Tensor  # (num_samples,) of the whole training set, for methods with a memory
    batch_size: int = 64
    seed: int = 0
    strong_view: bool = False  # whether batches carry a second, strongly augmented view of each image

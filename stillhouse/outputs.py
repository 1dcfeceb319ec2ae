"""The values that flow through a training step: a `Batch` goes in, one `Outputs` per network comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .streams import stream

if TYPE_CHECKING:
    from .taps import Tapped


@dataclass(frozen=True)
class Batch:
    """Images with everything a method may ask about them. All tensors are on the training device."""

    images: Tensor  # (N, 3, H, W), normalised, channels_last
    labels: Tensor  # (N,) int64
    indices: Tensor  # (N,) int64, position of each image in the training set
    views: Tensor | None = None  # (N,) int64, what augmentation drew, where that is finite (see data/views.py)
    epoch: float = 0.0  # epochs of this phase done so far, fractional
    step: int = 0  # steps done since the run began, over all phases
    seed: int = 0  # of the run

    def rows(self, keep: Tensor) -> Batch:
        """The same batch for some of its samples; `keep` is a mask or indices over N."""
        views = None if self.views is None else self.views[keep]
        return replace(
            self, images=self.images[keep], labels=self.labels[keep], indices=self.indices[keep], views=views
        )

    def generator(self, purpose: str) -> torch.Generator:
        """Random numbers for one purpose at this step: the same whatever else draws, and after a resume."""
        return stream(self.seed, purpose, self.step, device=self.images.device)


@dataclass(frozen=True)
class Outputs:
    """What one network said about one batch."""

    logits: Tensor  # (N, C)
    tapped: Mapping[str, Tensor]  # tap name -> (N, ...)
    net: Tapped  # the network that said it

    def __getitem__(self, tap: str) -> Tensor:
        return self.logits if tap == "logits" else self.tapped[tap]

    def rows(self, keep: Tensor) -> Outputs:
        """The same outputs for some of the samples; `keep` is a mask or indices over N."""
        return replace(self, logits=self.logits[keep], tapped={k: v[keep] for k, v in self.tapped.items()})


@dataclass(frozen=True)
class DataInfo:
    """What a method may know about the data set and the run."""

    num_classes: int
    image_size: int
    labels: Tensor  # (num_samples,) of the whole training set, for methods with a memory
    batch_size: int = 64
    seed: int = 0

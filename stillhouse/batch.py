"""A `Batch` of images, which a training step reads, and the `DataInfo` of the data set it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from .rng import stream


@dataclass(frozen=True)
class Batch:
    """Images with everything that a method may need about them. All tensors are on the training device."""

    images: Tensor  # (N, 3, H, W), normalised, channels_last
    labels: Tensor  # (N,) int64
    indices: Tensor  # (N,) int64, position of each image in the training set
    views: Tensor | None = None  # (N,) int64, number of the augmented view if views are finite (see data/in_memory.py)
    strong: Tensor | None = None  # (N, 3, H, W), a strongly augmented view of the same images, if the data give one
    epoch: float = 0.0  # epochs of this phase done so far, fractional
    step: int = 0  # steps done since the run began, over all phases
    seed: int = 0  # of the run
    active: Tensor | None = None  # (N,) 1 for samples that count towards a loss, else 0; None: all count
    prepared: Mapping[nn.Module, Mapping[str, Tensor]] = field(default_factory=dict)  # what `before_step` returned

    def rows(self, keep: Tensor) -> Batch:
        """Return the same batch for some of its samples; `keep` is a mask or indices over N."""
        views, strong, active = (
            None if tensor is None else tensor[keep] for tensor in (self.views, self.strong, self.active)
        )
        images, labels, indices = self.images[keep], self.labels[keep], self.indices[keep]
        return replace(
            self, images=images, labels=labels, indices=indices, views=views, strong=strong, active=active, prepared={}
        )

    def number(self, value: float) -> Tensor:
        """Return a number as a () float64 tensor on the images' device, without waiting for the device."""
        return torch.full((), value, dtype=torch.float64, device=self.images.device)

    def generator(self, purpose: str) -> torch.Generator:
        """Return a generator for one purpose at this step, independent of other draws and the same after a resume."""
        return stream(self.seed, purpose, self.step, device=self.images.device)


class Preparing(nn.Module):
    """A module whose step needs more than the batch holds: random numbers, or a number that depends on the epoch.

    They are prepared before the step, so that the step itself reads only tensors and can be captured in a graph.
    """

    def before_step(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return these tensors by name; random ones are drawn from `batch.generator`."""
        return {}

    def prepared(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the tensors prepared for this step, or prepare them now."""
        return batch.prepared[self] if self in batch.prepared else self.before_step(batch)


@dataclass(frozen=True)
class DataInfo:
    """Facts about the data set and the run that a method may use."""

    num_classes: int
    image_size: int
    labels: Tensor  # (num_samples,) of the whole training set, for methods with a memory
    batch_size: int = 64
    seed: int = 0
    strong_view: bool = False  # batches carry a second, strongly augmented view of each image

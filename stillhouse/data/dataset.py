"""Data as the loop reads them: a `Split` hands out batches; a `Data` is all splits of a data set and facts about it."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import distributed
from ..batch import Batch, DataInfo
from ..rng import stream
from ..spelling import counted
from .options import LoadOptions
from .splits import check_fraction

Channels = tuple[float, float, float]


class Split(ABC):
    """One part of a data set: shuffled and augmented for training (`epoch`), as it is for evaluation (`batches`).

    The order of epoch e and what augmentation does to each image in it are functions of (seed, e) alone. So a run
    resumes at (epoch, step) without any saved random state, and sees exactly the batches it would have seen.

    Args:
        labels: (N,) int64, on the CPU.
        options: `batch_size`, `seed`, `drop_last` and `strong_view` are read here. A last batch of exactly one image is
            always left out in training, because BatchNorm cannot normalise one image (unless batch_size itself is 1);
            with several ranks so is one of less than two images for each. The strong view (see `strengthen`) has draws
            of its own: the first view is the same with and without.
    """

    share: float | None = None  # of an image's shorter side that evaluation keeps; None: not known
    num_views: int | None = None  # how many different images augmentation can make of one image; None: unbounded

    def __init__(self, labels: Tensor, options: LoadOptions):
        if distributed.world_size() > 1 and options.batch_size < 2 * distributed.world_size():
            raise ValueError(
                f"a batch of {options.batch_size} images is shared by {distributed.world_size()} processes, and each "
                "needs two for its BatchNorms: choose a larger --batch_size, which is that of all processes together"
            )
        self.labels = labels
        self.batch_size = options.batch_size
        self.seed = options.seed
        self.drop_last = options.drop_last
        self.strong_view = options.strong_view

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def steps(self) -> int:
        """Training batches per epoch."""
        full, rest = divmod(len(self), self.batch_size)
        smallest = 2 * distributed.world_size() if self.batch_size > 1 else 1
        return full if self.drop_last or rest < smallest else full + 1

    def describe(self) -> str:
        """Return a clause about how training shows images."""
        views = "new views in each epoch" if self.num_views is None else f"{counted(self.num_views, 'view')} an image"
        return f"{views}{' and a strong one' if self.strong_view else ''}"

    def reading(self) -> str:
        """Return a clause about how evaluated images are made square; empty if nothing is to be said."""
        return ""

    def epoch(
        self, epoch: int, device: torch.device | str, start_step: int = 0, phase_start: int = 0
    ) -> Iterator[Batch]:
        """The training batches of one epoch, shuffled and augmented, from `start_step` on.

        Args:
            epoch: Counted from the beginning of the run, over all its phases.
            phase_start: The epoch at which the present phase began; `Batch.epoch` counts from there.
        """
        if self.steps == 0:
            raise ValueError(
                f"a training split of {len(self)} images is too small for a batch of {self.batch_size}: use a smaller "
                "batch size or more images (the last batch is left out if it holds one image, or if drop_last is set)"
            )
        if not 0 <= start_step <= self.steps:
            raise ValueError(f"an epoch has {self.steps} steps here; it cannot start at step {start_step}")
        return self._numbered(epoch, torch.device(device), start_step, phase_start)

    def _numbered(self, epoch: int, device: torch.device, start_step: int, phase_start: int) -> Iterator[Batch]:
        if start_step == self.steps:
            return
        order = torch.randperm(len(self), generator=stream(self.seed, "order", epoch))
        order = order[start_step * self.batch_size : self.steps * self.batch_size]
        for step, drawn in enumerate(self._drawn(epoch, order, device), start_step):
            yield Batch(
                images=drawn.images,
                labels=drawn.labels,
                indices=drawn.indices,
                views=drawn.views,
                strong=drawn.strong,
                epoch=epoch - phase_start + step / self.steps,
                step=epoch * self.steps + step,
                seed=self.seed,
            )

    def views(self, epoch: int, images: Tensor) -> Tensor:
        """Return what an epoch shows of some images, normalised: their places (M,) -> (M, 3, S, S) on the CPU."""
        return torch.cat([drawn.images for drawn in self._drawn(epoch, images, torch.device("cpu"))])

    def evaluated(self, images: Tensor) -> Tensor:
        """Return what evaluation shows of some images, normalised: their places (M,) -> (M, 3, S, S) on the CPU."""
        found: dict[int, Tensor] = {}
        for batch in self.batches("cpu"):
            found |= {index: image for index, image in zip(batch.indices.tolist(), batch.images, strict=True)}
            found = {index: found[index] for index in images.tolist() if index in found}
            if len(found) == len(set(images.tolist())):
                break
        return torch.stack([found[index] for index in images.tolist()])

    @abstractmethod
    def _drawn(self, epoch: int, order: Tensor, device: torch.device) -> Iterator[Drawn]:
        """Augmented batches of this epoch for the images named by `order`, (M,), batch after batch."""

    @abstractmethod
    def batches(self, device: torch.device | str, batch_size: int | None = None) -> Iterator[Batch]:
        """Yield every image once, in order, without augmentation: for evaluation. The last batch may be smaller."""


@dataclass(frozen=True)
class Drawn:
    """A training batch before the loop's position is known; fields as in `Batch`."""

    images: Tensor
    labels: Tensor
    indices: Tensor
    views: Tensor | None = None
    strong: Tensor | None = None


@dataclass(frozen=True)
class Data:
    """A data set, ready for the loop."""

    name: str
    train: Split
    test: Split
    validation: Split | None  # to choose by: the data set's own, or taken out of the training set on request
    info: DataInfo
    classes: tuple[str, ...]  # names, in the order of the labels
    mean: Channels  # normalisation: (pixel / 255 - mean) / std, per channel
    std: Channels
    fingerprint: str  # equal if and only if the images and labels are, and of folders the names of the classes
    source: str  # where the images come from and how they were split, in words
    notes: tuple[str, ...] = ()  # what a user should know about how the data were read, a sentence each
    skipped: int = 0  # images that were left out because they cannot be read
    sample: tuple[str, ...] = ()  # of the training images, by which they are recognised, see `trained_on.sample`
    train_fraction: float = 1.0  # of each training class that is trained on; `sample` is of all

    def describe(self, training: bool = True, views: bool = True) -> str:
        """Return one line for the log.

        Args:
            training: Count the training images, if there are any.
            views: Say how training shows them.
        """
        size = self.info.image_size
        held_out = f"{len(self.test):,} test images"
        if self.validation is not None:
            held_out = f"{len(self.validation):,} validation and {held_out}"
        counts = f"{len(self.train):,} training, {held_out}" if training and len(self.train) else held_out
        words = [counts, f"{size}x{size} pixels", self.test.reading(), f"{len(self.classes)} classes"]
        words += [self.train.describe()] if views and len(self.train) else []
        return f"{self.name}: {', '.join(filter(None, words))}, from {self.source}"

    def facts(self) -> dict[str, object]:
        """Return what a run's outcome says of its images: how many of each class, and how training shows them."""
        labels = self.info.labels
        counts = None if labels is None else labels.bincount(minlength=len(self.classes)).tolist()
        known = {"views": self.train.describe(), "train_counts": counts}
        return known | ({} if self.validation is None else {"validation_images": len(self.validation)})


def data_info(num_classes: int, image_size: int, labels: Tensor, options: LoadOptions) -> DataInfo:
    """Return what methods may know of a training set with these labels, (N,)."""
    return DataInfo(num_classes, image_size, labels, options.batch_size, options.seed, options.strong_view)


def digest_classes(classes: Sequence[str]) -> bytes:
    """Return a digest of the names of classes in their order; names that are not UTF-8 on disk count as they are."""
    return hashlib.blake2b(json.dumps(list(classes)).encode(), digest_size=16).digest()


def check_own_validation(has_validation: bool, options: LoadOptions) -> None:
    """Refuse to take validation images out of the training set of data that have a validation set of their own."""
    if has_validation and options.validation:
        raise ValueError(
            f"--validation {options.validation:g} is for data without a validation set, and these data have one: leave "
            "it out"
        )


def held_out_in_words(options: LoadOptions) -> str:
    """Return the clause of `Data.source` about validation images."""
    share = f"{100 * options.validation:g} % of each training class"
    return f"; {share} held out for validation with split seed {options.split_seed}"


def stratified(labels: Tensor, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Split positions so that `fraction` of each class is held out: (N,) -> kept (K,), held out (N - K,), ascending.

    Of a class with two images or more at least one is held out and one kept. Adding images draws all of them again: for
    images with names use `splits.held_out_by_name`.
    """
    check_fraction(fraction)
    generator = stream(seed, "held out")
    kept, held_out = [], []
    for label in labels.bincount().nonzero().flatten():
        members = (labels == label).nonzero().flatten()
        members = members[torch.randperm(len(members), generator=generator)]
        count = round(fraction * len(members))
        count = min(max(count, 1), len(members) - 1) if len(members) > 1 else 0
        held_out.append(members[:count])
        kept.append(members[count:])
    return torch.cat(kept).sort().values, torch.cat(held_out).sort().values


def check_labels(labels: Tensor, num_classes: int, split: str) -> None:
    """Refuse labels that no class belongs to; `split` is how the message calls their place."""
    if len(labels) == 0:
        raise ValueError(f"{split} holds no images")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        wrong = low if low < 0 else high
        raise ValueError(
            f"{split} holds the label {wrong}, but the {num_classes} classes are numbered 0 to {num_classes - 1}; "
            "leave out images without a label (often -1)"
        )

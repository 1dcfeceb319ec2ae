"""A decoded data set of small images, and how it becomes a `Data`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .dataset import Channels, Data, check_labels, check_own_validation, data_info
from .held_out import divide, pixel_keys
from .in_memory import InMemory
from .options import DEFAULTS, LoadOptions

MAX_SIZE = 64  # pixels; larger images are read from disk batch by batch


@dataclass(frozen=True)
class Arrays:
    """Decoded images with their labels, as the reader of a data set of small images returns them."""

    name: str
    source: str  # where the images come from, in words
    train_images: Tensor  # (N, S, S, 3) uint8
    train_labels: Tensor  # (N,) int64
    test_images: Tensor  # (M, S, S, 3) uint8
    test_labels: Tensor  # (M,) int64
    classes: tuple[str, ...]
    mean: Channels | None = None  # None: measured on the training images
    std: Channels | None = None
    flip: bool = True  # whether a mirrored image still belongs to its class
    validation_images: Tensor | None = None  # (V, S, S, 3) uint8, of a data set that has its own
    validation_labels: Tensor | None = None  # (V,) int64
    train_keys: Tensor | None = None  # (N,) int64, hashes of the images' names, by which a validation set is drawn
    notes: tuple[str, ...] = ()  # as in `Data`
    skipped: int = 0
    sample: tuple[str, ...] = ()


def from_arrays(arrays: Arrays, options: LoadOptions = DEFAULTS, **changes: Any) -> Data:
    """Check, resize and split decoded images.

    Args:
        options: As for `load`; single ones can be given as keywords, `from_arrays(arrays, batch_size=16)`.

    Raises:
        ValueError: If images and labels do not make a data set.
    """
    options = options.but(**changes)
    if len(arrays.train_labels) or not options.test_only:
        check_labels(arrays.train_labels, len(arrays.classes), f"the training split of {arrays.name}")
    check_labels(arrays.test_labels, len(arrays.classes), f"the test split of {arrays.name}")
    check_own_validation(arrays.validation_images is not None, options)
    parts = divide(arrays.train_labels, options, arrays.train_keys, partial(pixel_keys, arrays.train_images))
    arrays = _resized(arrays, options.image_size)
    if options.mean is not None and options.std is not None:
        mean, std = options.mean, options.std
    elif arrays.mean is not None and arrays.std is not None:
        mean, std = arrays.mean, arrays.std
    else:  # over the whole training set, so that they do not depend on which part of it is trained on
        mean, std = channel_statistics(arrays.train_images if len(arrays.train_images) else arrays.test_images)
    options = options.but(flip=arrays.flip if options.flip is None else options.flip)
    once = options.but(strong_view=False)

    images, labels, held_out = arrays.train_images, arrays.train_labels, None
    own = [part for part in (arrays.validation_images, arrays.validation_labels) if part is not None]
    if own:
        check_labels(own[1], len(arrays.classes), f"the validation split of {arrays.name}")
        held_out = InMemory(own[0], own[1], once, mean=mean, std=std)
    elif parts.validation is not None:
        held_out = InMemory(images[parts.validation], labels[parts.validation], once, mean=mean, std=std)
    if parts.words:
        images, labels = images[parts.train], labels[parts.train]
    return Data(
        name=arrays.name,
        train=InMemory(images, labels, options, mean=mean, std=std),
        test=InMemory(arrays.test_images, arrays.test_labels, once, mean=mean, std=std),
        validation=held_out,
        info=data_info(len(arrays.classes), images.shape[1], labels, options),
        classes=arrays.classes,
        mean=mean,
        std=std,
        fingerprint=_fingerprint(images, labels, *own, arrays.test_images, arrays.test_labels),
        source=arrays.source + parts.words,
        notes=arrays.notes,
        skipped=arrays.skipped,
        sample=arrays.sample,
        train_fraction=options.train_fraction,
    )


def channel_statistics(images: Tensor) -> tuple[Channels, Channels]:
    """Return mean and deviation of each channel on the scale 0..1, to 4 decimals: (N, S, S, 3) uint8 -> 3, 3"""
    counts = torch.zeros(3, 256, dtype=torch.float64)
    for chunk in torch.split(images, 4096):
        for channel in range(3):
            counts[channel] += chunk[..., channel].flatten().bincount(minlength=256)
    values = torch.arange(256, dtype=torch.float64) / 255
    counts /= counts.sum(1, keepdim=True)
    mean = (counts * values).sum(1)
    # A channel that is the same everywhere has no spread to divide by: one grey level keeps it finite.
    std = (counts * (values - mean[:, None]).square()).sum(1).sqrt().clamp(min=1 / 255)
    m, s = mean.tolist(), std.tolist()
    return (round(m[0], 4), round(m[1], 4), round(m[2], 4)), (round(s[0], 4), round(s[1], 4), round(s[2], 4))


def _resized(arrays: Arrays, size: int | None) -> Arrays:
    have = arrays.train_images.shape[1]
    if size is None or size == have:
        return arrays
    if not 8 <= size <= (largest := max(MAX_SIZE, have)):
        raise ValueError(
            f"{arrays.name} holds {have}x{have} images in memory; --image_size must be 8 to {largest}, not {size}; "
            "for larger inputs save them in class folders (train/CLASS/*.png, val/CLASS/*.png) and pass that folder"
        )
    own = arrays.validation_images
    return replace(
        arrays,
        source=f"{arrays.source}; resized from {have}x{have} to {size}x{size}",
        train_images=_resize(arrays.train_images, size),
        test_images=_resize(arrays.test_images, size),
        validation_images=None if own is None else _resize(own, size),
    )


def _resize(images: Tensor, size: int) -> Tensor:
    resized = torch.empty(len(images), size, size, 3, dtype=torch.uint8)
    if len(images) == 0:
        return resized
    from torchvision.transforms.v2 import functional as transforms  # takes two seconds

    for source, target in zip(torch.split(images, 4096), torch.split(resized, 4096), strict=True):
        target.copy_(transforms.resize(source.permute(0, 3, 1, 2), [size, size]).permute(0, 2, 3, 1))
    return resized


def _fingerprint(*tensors: Tensor) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        digest.update(str(tuple(tensor.shape)).encode())
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()

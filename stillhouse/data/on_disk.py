"""Larger images on disk, decoded batch by batch: RandomResizedCrop and flip, as ImageNet is trained on, or other crops.

Left out on purpose: changes of colour, except in the strong view. Replace `Data.train` with your own `Split`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from .. import distributed
from ..batch import Batch
from ..rng import stream, stream_seed
from .dataset import Channels, Drawn, Split
from .decode import Source
from .options import DEFAULTS, LoadOptions
from .packed import Packed
from .pixels.square import KEPT, in_words
from .pixels.views import SHOWN, Crop
from .randaugment import AugmentParams, rotate, strengthen
from .reader import Reader

DEFAULT_SIZE = 224  # pixels
SMALL = 1000  # images; below this, starting workers takes longer than they save


class Folder(Split):
    """Images read from disk, by worker processes where there are many.

    Training: a random part of 8 to 100 % of the area (`RandomResizedCrop`) is resized to S x S and mirrored half of the
    time. Evaluation: the shorter side becomes S / 0.875, the S x S centre is kept. With `resize` "squash" or "pad" the
    whole image is made square first, and the whole square is evaluated. With `crop` "shifted" training shows S x S
    pixels at a random place of the image resized to S / 0.875, with "none" what evaluation shows. What is drawn for an
    image depends on (seed, epoch, index of the image) only, so neither the number of workers nor a resume changes a
    pixel.

    Args:
        options: Beside what `Split` reads, `image_size` (S, 224 if None), `resize`, `background`, `max_value`, `flip`,
            `crop`, `rotation` and `workers`.
        digests: 16 bytes for each file, equal for equal files; none if they are not known.
    """

    share = KEPT

    def __init__(
        self,
        paths: Sequence[Source],
        labels: Tensor,
        options: LoadOptions = DEFAULTS,
        *,
        mean: Channels,
        std: Channels,
        digests: Sequence[bytes] = (),
    ):
        super().__init__(labels, options)
        self.digests = np.array(digests, dtype="V16")  # one array, as in `Packed`
        if len(paths) != len(labels):
            raise ValueError(f"each image needs a label: there are {len(paths)} images and {len(labels)} labels")
        self.paths = Packed(paths)
        self.size = DEFAULT_SIZE if options.image_size is None else options.image_size
        self.flip, self.rotation = options.flip is not False, options.rotation
        if options.crop == "reflected":
            raise ValueError(
                "--crop reflected is for small images in memory, and these are read from disk: use shifted, which "
                "crops an image resized to be a little larger"
            )
        self.crop: Crop = "resized" if options.crop == "auto" else options.crop
        self.resize = options.resize
        self.decoding = options.decoding
        few = 0 if len(paths) < SMALL else min(8, os.cpu_count() or 1)
        self.workers = few if options.workers is None else options.workers
        self._mean, self._std = (torch.tensor(values).repeat(self.size) for values in (mean, std))  # of a row of pixels

    def batches(self, device: torch.device | str, batch_size: int | None = None) -> Iterator[Batch]:
        device = torch.device(device)
        whole = distributed.every(torch.split(torch.arange(len(self)), batch_size or self.batch_size))
        reader = Reader(self.paths, self.decoding, self.size, self.resize, "none")
        for indices, (images,) in zip(whole, self._load(reader, [i.tolist() for i in whole], device), strict=True):
            yield Batch(
                self._normalise(images, device), self.labels[indices].to(device), indices.to(device), seed=self.seed
            )

    def evaluated(self, images: Tensor) -> Tensor:
        reader, cpu = Reader(self.paths, self.decoding, self.size, self.resize, "none"), torch.device("cpu")
        whole = [part.tolist() for part in torch.split(images, self.batch_size)]
        return torch.cat([self._normalise(shown, cpu) for (shown,) in self._load(reader, whole, cpu)])

    def _drawn(self, epoch: int, order: Tensor, device: torch.device) -> Iterator[Drawn]:
        flips, crops = self._flips(stream(self.seed, "flips", epoch)), ["crops"]
        if self.strong_view:
            generator = stream(self.seed, "strong view", epoch)
            strong_flips, augment_params = self._flips(generator), AugmentParams.draw(len(self), generator)
            crops.append("strong view")
        turns = self._turns(stream(self.seed, "rotations", epoch))
        strong_turns = self._turns(stream(self.seed, "strong rotations", epoch))
        parts = torch.split(order, self.batch_size)
        seeds = tuple(stream_seed(self.seed, purpose, epoch) for purpose in crops)
        reader = Reader(self.paths, self.decoding, self.size, self.resize, self.crop, seeds)
        mine = [part[distributed.my_slice(len(part))].tolist() for part in parts]
        for indices, read in zip(parts, self._load(reader, mine, device), strict=True):
            own = read.to(device, non_blocking=True).transpose(0, 1)
            views, strong = distributed.gather(own, len(indices)).transpose(0, 1), None
            if self.strong_view:
                pixels = self._mirrored(self._turned(views[1], strong_turns, indices), strong_flips[indices])
                planes = strengthen(pixels.permute(0, 3, 1, 2).contiguous(), augment_params[indices])
                strong = self._normalise(planes.permute(0, 2, 3, 1).contiguous(), device)
            pixels = self._mirrored(self._turned(views[0], turns, indices), flips[indices])
            images = self._normalise(pixels, device)
            yield Drawn(images, self.labels[indices].to(device), indices.to(device), strong=strong)

    def describe(self) -> str:
        views = super().describe()
        if self.crop == "none" and not self.rotation and not self.strong_view:
            views = "2 views an image" if self.flip else "1 view an image"
        words = [views, "mirrored at random" if self.flip else "never mirrored", SHOWN[self.crop]]
        words += [f"turned by up to {self.rotation:g} degrees"] if self.rotation else []
        return ", ".join(words)

    def reading(self) -> str:
        return in_words(self.resize, KEPT)

    def _flips(self, generator: torch.Generator) -> Tensor:
        """Draw which images are mirrored, (N,)."""
        return torch.randint(2, (len(self),), generator=generator, dtype=torch.bool)

    def _turns(self, generator: torch.Generator) -> Tensor | None:
        """Draw by how many degrees each image is turned, (N,) float64; None if none is."""
        if not self.rotation:
            return None
        return self.rotation * (2 * torch.rand(len(self), dtype=torch.float64, generator=generator) - 1)

    def _turned(self, images: Tensor, turns: Tensor | None, indices: Tensor) -> Tensor:
        """(B, S, S, 3), (N,), (B,) -> (B, S, S, 3)"""
        if turns is None:
            return images
        planes = images.permute(0, 3, 1, 2).contiguous()
        return rotate(planes, turns[indices].to(images.device)).permute(0, 2, 3, 1).contiguous()

    def _mirrored(self, images: Tensor, flips: Tensor) -> Tensor:
        """Mirror those of `flips`, in place: (B, S, S, 3), (B,) -> (B, S, S, 3)."""
        if self.flip:
            which = flips.nonzero()[:, 0].to(images.device, non_blocking=True)
            images[which] = images[which].flip(2)
        return images

    def _load(self, reader: Reader, batches: list[list[int]], device: torch.device) -> Iterator[Tensor]:
        """Yield batches of uint8 images, (V, B, S, S, 3), as often as the reader crops them."""
        loader = DataLoader(
            reader,
            batch_sampler=batches,
            num_workers=self.workers,
            collate_fn=_as_read,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # else the loader would advance the global one
            worker_init_fn=_apart,
        )
        try:
            for loaded in loader:
                if isinstance(loaded, str):
                    raise ValueError(_changed(loaded))
                yield loaded
        except (RuntimeError, ConnectionError, EOFError) as error:
            if isinstance(error, RuntimeError) and not is_worker_death(error):
                raise
            raise ValueError(worker_died(error)) from error

    def _normalise(self, images: Tensor, device: torch.device) -> Tensor:
        """(B, S, S, 3) uint8 -> (B, 3, S, S) float32, channels_last"""
        self._mean, self._std = self._mean.to(device), self._std.to(device)
        pixels = images.to(device, non_blocking=True).float()
        pixels.flatten(2).div_(255).sub_(self._mean).div_(self._std)  # rows of S * 3, faster than pixels of 3
        return pixels.permute(0, 3, 1, 2)


def _apart(worker: int) -> None:
    """Put a worker into a group of its own: a signal to that of the command asks the command to save and end, and it
    then ends its workers. A worker whose command is gone ends by itself.
    """
    os.setpgid(0, 0)


def _changed(problem: str) -> str:
    """Return a sentence about an image that the look before training read, and that cannot be read any more."""
    reason = problem.removesuffix(": replace or delete it")
    if reason == problem:
        return problem
    return (
        f"{reason}, although it was whole when this command began: restore it and run the same command again, which "
        "resumes a training, or delete it, which begins anew because the data are others"
    )


def _as_read(batch: Any) -> Any:
    return batch  # a tensor or a sentence; a reader puts a batch together itself


def is_worker_death(error: Exception) -> bool:
    """Return True for what PyTorch raises when a worker died, wherever the main process is then."""
    return isinstance(error, RuntimeError) and "DataLoader worker" in str(error)


def worker_died(error: Exception) -> str:
    """Return a sentence about a worker that died."""
    last = (str(error).strip() or type(error).__name__).splitlines()[-1]
    if "Terminated" in last:  # such as by timeout, whose signal goes to all processes of a command
        return (
            f"a worker process that reads images was ended ({last}); a training resumes from its last save when the "
            "same command is run again"
        )
    return (
        f"a worker process that reads images died ({last}), most often because memory ran out: use fewer --workers; "
        "0 reads in the main process"
    )

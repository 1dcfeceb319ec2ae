"""Options of loading a data set."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..spelling import nearest
from .decode import Decoding
from .pixels.square import IN_WORDS, Resize
from .pixels.transparency import BACKGROUND
from .pixels.views import SHOWN, Crop

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "stillhouse"
SMALLEST, LARGEST = 8, 4096  # pixels


@dataclass(frozen=True)
class LoadOptions:
    """Options of splitting, resizing, augmenting and batching images.

    Args:
        batch_size: Images per batch.
        seed: Seed of the run: the order of the images and what augmentation draws.
        image_size: Height and width in pixels. None: as the images are in memory, 224 for images on disk.
        validation: Fraction of each training class to take out of the training set as `Data.validation`.
        train_fraction: Fraction of each training class to train on, of what `validation` leaves; see
            `held_out.part_of_each_class`. Files are known by their names, other images in memory by their pixels.
        split_seed: Seed that decides which images those are. Not the run's seed, or a teacher trained with another
            seed would have been trained on the validation images of its students.
        flip: Mirror training images. None: as suits the data set (all except digits and svhn).
        crop: Part of a training image to show. "shifted": of the image with a border, in memory of black pixels, at a
            random place (on disk: of the image resized to S / 0.875). "reflected": the same in memory, with the mirror
            image as border. "resized": 8 to 100 % of the area, resized. "none": as in evaluation. "auto": shifted in
            memory, resized on disk.
        rotation: Degrees; training images are turned by a random angle up to this in either direction.
        mean: Mean of each channel to normalise by, on a scale from 0 to 1. None: the data set's own. `std` likewise.
        resize: Way to make images square that are not: "crop" keeps the middle, "squash" changes the shape, "pad" adds
            background, "squash_crop" changes the shape and keeps the middle.
        background: Colour behind transparent pixels and beside padded images, a name or #rrggbb; "none" shows what
            lies under transparency, and pads with black.
        max_value: Value that becomes white in images of more than 8 bits. None: the largest of their type, 65535 for
            16 bits, 4095 for 12, 1.0 for floats.
        image_column: Column of a table that holds the images or their paths. None: found by its name.
        label_column: Column of a table that holds the classes. None: found by its name.
        drop_last: Leave out the last training batch of an epoch if it is not full.
        workers: Processes that decode images from disk. None: 0 below 1,000 images, else one per CPU, at most 8.
        strong_view: Show each training image a second time, strongly augmented; some methods need it.
        test_only: Load only test images; a folder without a training set is then all test set.
        trained_on: Digests of images that the network to be measured was trained on, see `trained_on.sample`; None: not
            known. They show where it would be measured on its own training images.
        say: Called with a sentence about anything that takes long.
        skip_broken: Leave out and count images that cannot be read, instead of refusing them.
        download_to: Where downloads are kept, and the decoded images of folders with many small images.

    Raises:
        ValueError: If a value is out of its range.
    """

    batch_size: int = 64
    seed: int = 0
    image_size: int | None = None
    validation: float = 0.0
    train_fraction: float = 1.0
    split_seed: int = 0
    flip: bool | None = None
    crop: Crop = "auto"
    rotation: float = 0.0
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    resize: Resize = "crop"
    background: str = BACKGROUND
    max_value: float | None = None
    image_column: str | None = None
    label_column: str | None = None
    drop_last: bool = False
    workers: int | None = None
    strong_view: bool = False
    test_only: bool = False
    trained_on: tuple[str, ...] | None = None
    skip_broken: bool = False
    say: Callable[[str], None] | None = None
    download_to: str | Path = CACHE

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"--batch_size must be 1 or more, not {self.batch_size}")
        if self.image_size is not None and not SMALLEST <= self.image_size <= LARGEST:
            raise ValueError(f"--image_size must be {SMALLEST} to {LARGEST} pixels, not {self.image_size}")
        if not 0 <= self.validation < 1:
            raise ValueError(f"--validation must be a fraction of at least 0 and below 1, not {self.validation:g}")
        if not 0 < self.train_fraction <= 1:
            raise ValueError(f"--train_fraction must be above 0 and at most 1, not {self.train_fraction:g}")
        if self.workers is not None and self.workers < 0:
            raise ValueError(f"--workers must be 0 or more, not {self.workers}")
        if self.resize not in IN_WORDS:
            raise ValueError(f"--resize must be {', '.join(IN_WORDS)}, not {self.resize}")
        if self.crop not in SHOWN:
            raise ValueError(f"--crop must be {', '.join(SHOWN)}, not {self.crop}")
        if not 0 <= self.rotation <= 180:
            raise ValueError(f"--rotation must be 0 to 180 degrees, not {self.rotation:g}")
        if (self.mean is None) != (self.std is None):
            raise ValueError("--mean and --std belong together: give both, or neither")
        _ = self.decoding  # which checks its own

    @property
    def decoding(self) -> Decoding:
        """Return the options of decoding."""
        return Decoding(self.background, self.max_value)

    def but(self, **changes: Any) -> LoadOptions:
        """Return these options with some changed.

        Raises:
            TypeError: If there is no option of that name.
        """
        for name in changes:
            if name not in self.__dataclass_fields__:
                raise TypeError(f"there is no option {name!r}.{nearest(name, list(self.__dataclass_fields__))}")
        return replace(self, **changes)


DEFAULTS = LoadOptions()

"""A place and a size for the images: in memory or on disk, as most of them are; what differs is said.

Images are held in memory if most of them are square, of one size and at most 64 pixels wide; the others are made like
them. They are also held in memory if all are small and a size is asked for. Others are read from disk batch by batch.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import torch

from ..spelling import counted
from .arrays import MAX_SIZE, Arrays
from .decode import Source, rgb
from .image_files import Files, without
from .on_disk import DEFAULT_SIZE
from .options import LoadOptions
from .pixels.square import IN_WORDS, fit
from .pixels.transparency import colour_of

Size = tuple[int, int]  # width, height


def place(files: Files, options: LoadOptions) -> Arrays | Files:
    """Return the images in memory if they are small, otherwise where they are.

    The files have their own notes and those about sizes; images in memory have the new notes only.

    Raises:
        ValueError: If images cannot be decoded and are not to be left out; the sentence names them.
    """
    size, notes = _size(files, options)
    notes = [*notes, *_frames(files)]
    if size is None:
        return replace(files, notes=(*files.notes, *notes))
    arrays = _decoded(files, size, options)
    return replace(arrays, notes=(*notes, *arrays.notes))


def _size(files: Files, options: LoadOptions) -> tuple[int | None, list[str]]:
    """Return the side of the images in memory, None if they stay on disk, and what a user should know about it."""
    sizes = Counter((content.width, content.height) for content in files.contents)
    asked, are_small = options.image_size, all(max(size) <= MAX_SIZE for size in sizes)
    ((most, count),) = sizes.most_common(1)
    common = most[0] if most[0] == most[1] <= MAX_SIZE and 2 * count > sizes.total() else None
    fits = asked is None or asked <= MAX_SIZE
    if fits and common is not None:
        return asked or common, _odd(files, (common, common), options)
    if fits and asked is not None and are_small:
        how = f"each is {IN_WORDS[options.resize]} and resized to {asked}x{asked}"
        return asked, [f"images have {_range(sizes)}: {how}"]
    if are_small and len(sizes) > 1:
        side, largest = asked or DEFAULT_SIZE, max(max(size) for size in sizes)
        way_out = f"--image_size {max(8, largest)} resizes them in memory"
        return None, [f"images have {_range(sizes)}, and are enlarged to {side}x{side}: {way_out}"]
    if common is not None:
        return None, [f"most images are {common}x{common} pixels, and are enlarged to {asked}x{asked}"]
    return None, []


def _range(sizes: Counter[Size]) -> str:
    if len(sizes) == 1:
        return "{}x{} pixels".format(*next(iter(sizes)))
    smallest, largest = min(sizes, key=lambda size: size[0] * size[1]), max(sizes, key=lambda size: size[0] * size[1])
    return "{} sizes from {}x{} to {}x{} pixels".format(len(sizes), *smallest, *largest)


def _odd(files: Files, common: Size, options: LoadOptions) -> list[str]:
    """Return a note about images of another size than most."""
    others = [
        (path, content)
        for path, content in zip(files.paths, files.contents, strict=True)
        if (content.width, content.height) != common
    ]
    if not others:
        return []
    path, content = others[0]
    count = f"{len(others):,} of {counted(len(files.paths), 'image')} {'are' if len(others) > 1 else 'is'}"
    return [
        f"{count} not {common[0]}x{common[1]} pixels, the first {files.name(path)} ({content.width}x{content.height}): "
        f"{IN_WORDS[options.resize]} and resized like the others"
    ]


def _frames(files: Files) -> list[str]:
    """Return a note about animations and files with several pages."""
    several = [path for path, content in zip(files.paths, files.contents, strict=True) if content.frames > 1]
    if not several:
        return []
    which = counted(len(several), "image") + (" has" if len(several) == 1 else " have")
    return [f"{which} several frames, the first {files.name(several[0])}: only the first frame of each is read"]


def _decoded(files: Files, size: int, options: LoadOptions) -> Arrays:
    """Decode all images to `size` x `size` pixels; normalisation is measured on them if it is not published."""
    pixels = torch.empty(len(files.paths), size, size, 3, dtype=torch.uint8)
    targets = pixels.numpy()
    colour = colour_of(options.background)
    broken: dict[Source, str] = {}
    for target, path in zip(targets, files.paths, strict=True):
        try:
            image = rgb(path, str(path), options.decoding)
        except ValueError as error:
            broken[path] = str(error)
            continue
        if image.size == (size, size):
            target[:] = np.asarray(image)
        else:
            from torchvision.transforms.v2 import functional as transforms  # takes two seconds

            target[:] = fit(transforms.pil_to_tensor(image), size, options.resize, colour).permute(1, 2, 0).numpy()
    left = without(files, broken, options.skip_broken)
    if broken:
        pixels = pixels[torch.tensor([path not in broken for path in files.paths])]
    mean, std = files.statistics or (None, None)
    train, validation, test = torch.split(pixels, [len(left.train), len(left.validation), len(left.test)])
    return Arrays(
        name=files.data_name,
        source=files.source,
        train_images=train,
        train_labels=left.train_labels,
        test_images=test,
        test_labels=left.test_labels,
        classes=files.classes,
        mean=mean,
        std=std,
        validation_images=validation if left.validation else None,
        validation_labels=left.validation_labels if left.validation else None,
        train_keys=left.train_keys,
        notes=left.notes[len(files.notes) :],
        skipped=left.skipped - files.skipped,
    )

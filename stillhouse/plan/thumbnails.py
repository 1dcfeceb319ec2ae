"""Small grey pictures of all images of a data set, by which those that may be alike are found, and exact pixels."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from ..data.decode import Decoding, Source, content_of, opened, orientation_of, quiet, rgb

GRID = 16  # places on a side
_DRAFT = 64  # px; JPEGs are decoded at an eighth of their size or so, which is three times as fast
_AT_ONCE = 64  # files between two looks at the clock

Grey = NDArray[np.float32]
T = TypeVar("T")


@dataclass(frozen=True)
class Thumbnails:
    """Grey levels of images, (M, GRID * GRID).

    Args:
        places: Positions of these images among all, (M,).
        broken: Sentences about images that cannot be decoded, by position.
    """

    places: NDArray[np.int64]
    grey: Grey
    broken: dict[int, str]


def of_pixels(images: Tensor) -> Thumbnails:
    """Return the thumbnails of images in memory: (N, S, S, 3) uint8."""
    weights = torch.tensor([0.299, 0.587, 0.114])
    parts = [
        torch.nn.functional.adaptive_avg_pool2d((part.float() @ weights)[:, None], GRID).flatten(1)
        for part in torch.split(images, 4096)
    ]
    grey: Grey = torch.cat(parts).numpy() if parts else np.empty((0, GRID * GRID), np.float32)
    return Thumbnails(np.arange(len(images)), grey, {})


def of_files(sources: Sequence[Source], places: Sequence[int], decoding: Decoding, until: float) -> Thumbnails:
    """Return the thumbnails of images on disk, as many as are decoded until that time.

    Args:
        places: Position of each image among all.
    """
    done = _decoded(sources, places, lambda source: _thumbnail(source, decoding), until)
    kept = {place: grey for place, grey in done.items() if not isinstance(grey, str)}
    rows = np.stack([*kept.values()]) if kept else np.empty((0, GRID * GRID), np.float32)
    broken = {place: why for place, why in done.items() if isinstance(why, str)}
    return Thumbnails(np.array([*kept], np.int64), rows, broken)


def digests_of(images: Tensor) -> dict[int, bytes]:
    """Return a digest of the pixels of each image: (N, S, S, 3) uint8 -> N digests by position."""
    return {place: _digest(image.data) for place, image in enumerate(images.contiguous().numpy())}


def digests_of_files(
    sources: Sequence[Source], places: Sequence[int], decoding: Decoding, until: float
) -> dict[int, bytes]:
    """Return digests of size and pixels of images on disk by position, of those that are decoded until that time."""

    def decoded(source: Source) -> bytes:
        image = rgb(source, str(source), decoding)
        return _digest(repr(image.size).encode() + image.tobytes())

    done = _decoded(sources, places, decoded, until)
    return {place: digest for place, digest in done.items() if isinstance(digest, bytes)}


def digest_of_file(source: Source) -> bytes:
    """Return a digest of the bytes of a file."""
    return _digest(content_of(source))


def _digest(content: bytes | memoryview) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _decoded(
    sources: Sequence[Source], places: Sequence[int], act: Callable[[Source], T], until: float
) -> dict[int, T | str]:
    """Return what an action makes of each image, or why it cannot, until the time is up: by position."""

    def attempt(source: Source) -> T | str:
        try:
            return act(source)
        except ValueError as error:
            return str(error)

    done: dict[int, T | str] = {}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool, quiet():
        for start in range(0, len(sources), _AT_ONCE):
            if time.perf_counter() > until:
                break
            some, where = sources[start : start + _AT_ONCE], places[start : start + _AT_ONCE]
            # What libtiff writes to the terminal is caught, for which nothing else may run meanwhile.
            together = [not str(source).lower().endswith((".tif", ".tiff")) for source in some]
            beside = [source for source, fits in zip(some, together, strict=True) if fits]
            found = pool.map(attempt, beside)
            answers = [next(found) if fits else None for fits in together]
            for place, source, answer, fits in zip(where, some, answers, together, strict=True):
                done[place] = answer if fits and answer is not None else attempt(source)
    return done


def _thumbnail(source: Source, decoding: Decoding) -> Grey:
    name = str(source)
    with opened(source, name) as image:
        is_plain = image.format == "JPEG" and image.mode in ("L", "RGB")
        if is_plain:
            image.draft("L", (_DRAFT, _DRAFT))
            try:
                image.load()
            except Exception as error:  # Pillow's plugins raise anything for a damaged file
                raise ValueError(f"{name} cannot be read as an image ({error})") from error
            grey = image.convert("L")
            small = ImageOps.exif_transpose(grey) if orientation_of(image.getexif) > 1 else grey
    if not is_plain:
        small = rgb(source, name, decoding).convert("L")
    reduced = small.resize((GRID, GRID), Image.Resampling.BOX)
    return np.asarray(reduced, np.float32).reshape(-1)

"""Images of any shape made square: cropped, squashed or padded."""

from __future__ import annotations

import torch
from torch import Tensor

from ...ranges import Resize as Resize

IN_WORDS: dict[Resize, str] = {
    "crop": "cropped to the middle square",
    "squash": "squashed to a square",
    "pad": "padded to a square",
    "squash_crop": "squashed to a square of which the middle 87.5 % are kept",
}
KEPT = 0.875  # share of a side that the middle crop of an evaluated image keeps, as 224 of 256
LONGEST = 8  # times its width; of longer strips only the middle is resized, because a whole one could fill the memory
DETAIL = 4  # times the size that is wanted: all that random crops of squashed or padded images need


def in_words(resize: Resize, share: float) -> str:
    """Return a clause about how evaluated images are made square.

    Args:
        share: Part of the shorter side that "crop" keeps.
    """
    kept = f" of {100 * share:.3g} % of the shorter side" if resize == "crop" and share != 1 else ""
    return IN_WORDS[resize] + kept


def fit(image: Tensor, size: int, resize: Resize, colour: tuple[int, int, int]) -> Tensor:
    """Return the image in `size` x `size` pixels: (3, H, W) -> (3, S, S).

    Args:
        resize: "crop" keeps the middle square, "squash" the whole image in another shape, "pad" the whole image in its
            shape, "squash_crop" the middle `KEPT` of the whole image in another shape.
        colour: Of the padding.
    """
    if resize == "crop":
        return central(resized(middle(image), size), size, size)
    if resize == "squash":
        return resized(image, size, size)
    if resize == "squash_crop":
        return central(resized(image, larger(size), larger(size)), size, size)
    height, width = image.shape[1:]
    scale = size / max(height, width)
    inner = resized(image, max(1, round(height * scale)), max(1, round(width * scale)))
    canvas = torch.tensor(colour, dtype=image.dtype)[:, None, None].repeat(1, size, size)
    top, left = (size - inner.shape[1]) // 2, (size - inner.shape[2]) // 2
    canvas[:, top : top + inner.shape[1], left : left + inner.shape[2]] = inner
    return canvas


def evaluated(image: Tensor, size: int, resize: Resize, colour: tuple[int, int, int], share: float) -> Tensor:
    """Return the image as a network is measured on it: (3, H, W) -> (3, S, S).

    Args:
        share: Part of the shorter side that "crop" keeps; others are as in `fit`.
    """
    if resize != "crop":
        return fit(image, size, resize, colour)
    return central(resized(middle(image), round(size / share)), size, size)


def for_random_crops(image: Tensor, size: int, resize: Resize, colour: tuple[int, int, int]) -> Tensor:
    """Return the image in the shape that crops of `size` pixels are taken from: (3, H, W) -> (3, H', W')."""
    if resize == "crop":
        return image
    side = max(size, min(max(image.shape[1:]), DETAIL * size))
    return fit(image, side, "squash" if resize == "squash_crop" else resize, colour)


def for_shifted_crops(image: Tensor, size: int, resize: Resize, colour: tuple[int, int, int]) -> Tensor:
    """Return the image a little larger than crops of `size` pixels: (3, H, W) -> (3, H', W'), the shorter S / `KEPT`.

    Its shape is kept with `resize` "crop", and square otherwise.
    """
    if resize == "crop":
        return resized(middle(image), larger(size))
    return fit(image, larger(size), "squash" if resize == "squash_crop" else resize, colour)


def larger(size: int) -> int:
    """Return the side of which the middle `KEPT` is `size` pixels: 256 for 224."""
    return round(size / KEPT)


def middle(image: Tensor) -> Tensor:
    """Return the middle of an image that is more than `LONGEST` times as long as it is wide, others as they are."""
    height, width = image.shape[1:]
    longest = LONGEST * min(height, width)
    if max(height, width) <= longest:
        return image
    return central(image, min(height, longest), min(width, longest))


def resized(image: Tensor, *size: int) -> Tensor:
    """Return the image in another size, the shorter side's or that of height and width: (3, H, W) -> (3, H', W')."""
    from torchvision.transforms.v2 import functional as transforms  # takes two seconds

    result: Tensor = transforms.resize(image, list(size))  # bilinear, with antialiasing
    return result


def central(image: Tensor, height: int, width: int) -> Tensor:
    """(3, H, W) -> (3, height, width)"""
    from torchvision.transforms.v2 import functional as transforms  # takes two seconds

    result: Tensor = transforms.center_crop(image, [height, width])
    return result

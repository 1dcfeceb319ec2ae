"""Pixels of image files as Pillow and NumPy alone have them, to compare ours with."""

from __future__ import annotations

import numpy as np
from PIL import Image

_TURNS = {3: 2, 6: 3, 8: 1}  # EXIF's orientation -> quarter turns to the left


def plain(path: str) -> np.ndarray:
    """Return (H, W, 3) uint8: upright, scaled from 16 bits, in front of white."""
    with Image.open(path) as image:
        turns = _TURNS.get(image.getexif().get(0x0112, 1), 0)
        return np.rot90(_rgb(image), turns)


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):
        grey = np.rint(np.asarray(image).astype(float) / 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        front = np.asarray(image.convert("RGBA")).astype(float)
        alpha = front[..., 3:] / 255
        return np.rint(front[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return np.asarray(image.convert("RGB"))

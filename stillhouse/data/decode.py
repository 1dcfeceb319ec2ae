"""Any image file or its bytes as RGB pixels, or a sentence that says which image cannot be read."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image

# What PIL raises for damaged files: OSError and its subclasses, SyntaxError (PNG chunks), the rest for bad headers.
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, Image.DecompressionBombError)


def rgb(source: Path | bytes, name: str) -> Image.Image:
    """Grey, palette, RGBA, CMYK and 16-bit images become 8-bit RGB; what is transparent becomes what lies under it.

    Args:
        name: What to call the image in the message if it cannot be read.
    """
    try:
        with Image.open(source if isinstance(source, Path) else io.BytesIO(source)) as image:
            image.load()
            return _convert(image)
    except DAMAGED as error:
        raise ValueError(f"{name} cannot be read as an image ({error}). Replace it or delete it.") from error


def _convert(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":  # PIL would clip 16 bits to 255
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "P" and "transparency" in image.info:  # PIL warns about going to RGB directly
        return image.convert("RGBA").convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")

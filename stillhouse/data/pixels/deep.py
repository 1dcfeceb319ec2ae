"""Pixels of more than 8 bits, scaled by their type, never guessed by their values."""

from __future__ import annotations

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

_WHITE_IS_ZERO = 0  # TIFF's photometric interpretation
_DARK = 16  # of 255; what 10 and 12 bits come to where 16 were expected


def raw_mode(image: Image.Image) -> str:
    """Return Pillow's word for how the pixels of an opened image are stored, such as "L;4" or "RGB;16B"."""
    tiles = getattr(image, "tile", [])
    arguments = tiles[0].args if tiles else None
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else image.mode


def eight_bits(image: Image.Image, raw: str, name: str, max_value: float | None) -> Image.Image:
    """Return an image of 8 bits a channel.

    16 bits keep their high byte. Floats are expected from 0 to 1.

    Args:
        raw: Of `raw_mode`, before the image was decoded.
        name: Name of the image in messages.
        max_value: Value that becomes white. None: the largest of the type.

    Raises:
        ValueError: If values are out of range, or so low that another range must be meant.
    """
    if image.mode == "F" or image.mode == "I" or image.mode.startswith("I;16"):
        return _grey(image, raw, name, max_value)
    if "16" in raw and image.mode in ("RGB", "RGBA", "L", "LA"):  # whose high bytes Pillow takes
        highest = max(high for low, high in extremes(image)[:3])
        if 0 < highest < _DARK:
            raise ValueError(f"{name} has 16 bits but is nearly black, as if it held 12: save it with 8 bits a channel")
    _mend_transparency(image, raw)
    return image


def _grey(image: Image.Image, raw: str, name: str, max_value: float | None) -> Image.Image:
    values = np.asarray(image)
    if raw == "I;32N":
        values = values.view(np.uint32)
    low, high = (values.min(), values.max()) if values.size else (0, 0)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"{name} holds NaN or infinity: save it with finite values")
    if low < 0:
        raise ValueError(f"{name} holds negative values (down to {low:g}): save it with values from 0 on")
    bits = {"I;12": 12, "I;16S": 15, "I;16BS": 15}.get(raw, 16)
    white = max_value if max_value is not None else 1.0 if image.mode == "F" else 2.0**bits - 1
    if high > white:
        raise ValueError(f"{name} holds values up to {high:g}, and {white:g} is white: give --max_value")
    if max_value is None and image.mode != "F":
        pixels = (values.astype(np.int64) >> (bits - 8)).astype(np.uint8)
        if 0 < pixels.max() < _DARK:
            raise ValueError(
                f"{name} has {bits} bits but values only up to {high}, which is nearly black: give --max_value, "
                "4095 for 12 bits, or 65535 if that is right"
            )
    else:
        pixels = np.rint(values.astype(np.float64) * (255 / white)).astype(np.uint8)
    if isinstance(image, TiffImageFile) and image.tag_v2.get(262) == _WHITE_IS_ZERO:
        pixels = 255 - pixels
    return _with_key(Image.fromarray(pixels), values, image.info.get("transparency"))


def _with_key(grey: Image.Image, values: np.ndarray, key: object) -> Image.Image:
    """Return the image with the alpha that PNG's transparent value stands for."""
    if not isinstance(key, int):
        return grey
    grey.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return grey


def _mend_transparency(image: Image.Image, raw: str) -> None:
    """Bring PNG's transparent colour from the file's depth to 8 bits, where Pillow leaves it as it is."""
    key = image.info.get("transparency")
    if raw in ("L;2", "L;4") and isinstance(key, int):
        image.info["transparency"] = key * 255 // (2 ** int(raw[-1]) - 1)
    elif raw == "RGB;16B" and isinstance(key, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in key)


def extremes(image: Image.Image) -> list[tuple[float, float]]:
    """Return the lowest and the highest value of each channel."""
    return [image.getchannel(channel).getextrema() for channel in image.getbands()]  # type: ignore[misc] # of one band

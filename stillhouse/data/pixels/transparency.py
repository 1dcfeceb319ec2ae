"""Transparent pixels in front of a background."""

from __future__ import annotations

from PIL import Image, ImageColor

from .deep import extremes

BACKGROUND = "white"
HIDDEN = "none"  # as a background: transparency is ignored


def colour_of(background: str) -> tuple[int, int, int]:
    """Return the red, green and blue of a background; black for "none".

    Raises:
        ValueError: If there is no such colour.
    """
    if background == HIDDEN:
        return 0, 0, 0
    try:
        red, green, blue = ImageColor.getrgb(background)[:3]
    except ValueError:
        raise ValueError(
            f"--background must be a colour such as white or #808080, or {HIDDEN}, not {background!r}"
        ) from None
    return red, green, blue


def with_alpha(image: Image.Image) -> Image.Image:
    """Return the image in RGBA if anything of it can be transparent, else as it is."""
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.upper())
    has_key = "transparency" in image.info and image.mode in ("1", "L", "RGB", "P")
    has_palette = image.mode == "P" and image.palette is not None and image.palette.mode == "RGBA"
    return image.convert("RGBA") if has_key or has_palette or image.mode in ("LA", "PA", "RGBA") else image


def compose(image: Image.Image, name: str, background: str) -> Image.Image:
    """Return an RGBA image in front of a colour.

    Raises:
        ValueError: If nothing could be seen on it.
    """
    lowest, highest = image.getchannel("A").getextrema()
    if lowest == 255:
        return image.convert("RGB")
    ground = Image.new("RGBA", image.size, (*colour_of(background), 255))
    flat = Image.alpha_composite(ground, image).convert("RGB")
    if _is_one_colour(flat) and not (_is_one_colour(image.convert("RGB")) and lowest == highest):
        raise ValueError(
            f"{name} is transparent, and nothing of it can be seen on --background {background}: choose another "
            f"colour, or {HIDDEN} to ignore transparency"
        )
    return flat


def _is_one_colour(image: Image.Image) -> bool:
    return all(lowest == highest for lowest, highest in extremes(image))

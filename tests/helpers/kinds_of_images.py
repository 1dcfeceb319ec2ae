"""Images as they come from cameras, scanners and editors: turned by EXIF, in CMYK, with 16 bits, transparent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def _turned(image: Image.Image, path: Path, orientation: int = 6) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(path.with_suffix(".jpg"), quality=95, exif=exif)


def _cmyk(image: Image.Image, path: Path) -> None:
    image.convert("CMYK").save(path.with_suffix(".jpg"), quality=95)


def _deep(image: Image.Image, path: Path) -> None:
    grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
    Image.fromarray(grey).save(path.with_suffix(".png"))


def _transparent(image: Image.Image, path: Path) -> None:
    alpha = np.tile(np.linspace(0, 255, image.width, dtype=np.uint8), (image.height, 1))
    image.putalpha(Image.fromarray(alpha))
    image.save(path.with_suffix(".png"))


def _palette(image: Image.Image, path: Path) -> None:
    image.quantize(64).save(path.with_suffix(".gif"))


KINDS: tuple[Callable[[Image.Image, Path], None], ...] = (_turned, _cmyk, _deep, _transparent, _palette)


def write_kinds(root: Path, classes: tuple[str, ...] = ("ant", "bee", "cat"), count: int = 10) -> Path:
    """Write train/CLASS/0.*, ... and val/CLASS/0.*, ..., 100 x 80 pixels, every kind in turn, and return the folder."""
    draw = np.random.default_rng(5)
    for split in ("train", "val"):
        for label, name in enumerate(classes):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                coarse = draw.integers(0, 256, (5, 4, 3), dtype=np.uint8)
                coarse[..., label % 3] |= 128
                image = Image.fromarray(coarse).resize((80, 100), Image.Resampling.BICUBIC)
                KINDS[number % len(KINDS)](image, root / split / name / str(number))
    return root


def write_every_kind(root: Path) -> list[str]:
    """Write small images of all kinds that a script beside an export reads, and return their paths."""
    root.mkdir()
    draw = np.random.default_rng(9)

    def made(width: int, height: int) -> Image.Image:
        coarse = draw.integers(0, 256, (max(2, height // 7), max(2, width // 7), 3), dtype=np.uint8)
        return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)

    def save(image: Image.Image, name: str, **options: Any) -> None:
        image.save(root / name, **options)

    for orientation in range(2, 9):
        _turned(made(61, 40), root / f"turned{orientation}", orientation)
    photo, levels, parts = made(57, 45), made(57, 45).convert("L"), draw.random((45, 57)).astype(np.float32)
    parts[0, :3] = 0, 0.5, 1
    for name, size in {"same": (33, 33), "tall": (19, 140), "wide": (140, 19), "tiny": (5, 4), "dot": (1, 1)}.items():
        save(made(*size), f"{name}.png")
    save(photo.convert("CMYK"), "cmyk.jpg")
    save(photo.convert("YCbCr"), "ycbcr.tif")
    save(levels, "grey.jpg")
    save(levels.convert("1"), "bits.png")
    deep = np.asarray(levels).astype(np.uint16) * 250 + 99
    for name in ("deep.png", "deep.tif", "deep.pgm"):
        save(Image.fromarray(deep), name)
    save(Image.fromarray(deep.astype(np.int32)), "deep32.tif")
    save(Image.fromarray(parts), "float.tif")
    clear, palette = photo.copy(), photo.quantize(32)
    clear.putalpha(levels)
    for name in ("clear.png", "clear.tif", "clear.webp"):
        save(clear, name)
    save(clear.convert("LA"), "clear_grey.png")
    save(photo, "key.png", transparency=photo.getpixel((20, 20)))
    save(levels, "grey_key.png", transparency=levels.getpixel((20, 20)))
    save(palette, "palette.gif")
    save(palette, "palette_key.gif", transparency=3)
    save(palette, "palette_alpha.png", transparency=bytes(range(0, 256, 8)))
    for name in ("moving.gif", "moving.png", "moving.webp"):
        save(photo, name, save_all=True, append_images=[made(57, 45), made(57, 45)])
    return sorted(map(str, root.iterdir()))

"""Images as they come from cameras, scanners and editors: turned by EXIF, in CMYK, with 16 bits, transparent."""

from collections.abc import Callable
from pathlib import Path

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

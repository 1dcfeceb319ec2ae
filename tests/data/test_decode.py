from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stillhouse.data.decode import rgb
from tests.helpers.pictures import picture, png


def pixels(image: Image.Image) -> np.ndarray:
    assert image.mode == "RGB"
    return np.asarray(image)


def test_png_bytes_and_files_are_pixels_unchanged(tmp_path: Path) -> None:
    picture(3).save(tmp_path / "a.png")
    assert (pixels(rgb(tmp_path / "a.png", "a")) == np.asarray(picture(3))).all()
    assert (pixels(rgb(png(picture(3)), "a")) == np.asarray(picture(3))).all()


def test_grey_fills_three_channels() -> None:
    grey = picture(1).convert("L")
    result = pixels(rgb(png(grey), "a"))
    assert all((result[..., channel] == np.asarray(grey)).all() for channel in range(3))


def test_16_bit_grey_is_scaled_not_clipped() -> None:
    deep = np.array([[0, 256, 32768, 65535]], dtype=np.uint16)
    result = pixels(rgb(png(Image.fromarray(deep)), "a"))
    assert result[0, :, 0].tolist() == [0, 1, 128, 255]


def test_alpha_is_dropped() -> None:
    image = picture(2)
    translucent = image.copy()
    translucent.putalpha(100)
    assert (pixels(rgb(png(translucent), "a")) == np.asarray(image)).all()


def test_palette_with_transparency_does_not_warn(tmp_path: Path) -> None:
    palette = picture(2).quantize(4)
    colours = np.asarray(palette.convert("RGB"))
    palette.save(tmp_path / "a.png", transparency=bytes([0, 128, 255, 255]))
    assert (pixels(rgb(tmp_path / "a.png", "a")) == colours).all()


def test_cmyk_jpeg_becomes_rgb(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "red.jpg")
    red = pixels(rgb(tmp_path / "red.jpg", "a"))[4, 4]
    assert red[0] > 200
    assert red[1] < 60
    assert red[2] < 60


def test_damaged_images_are_named() -> None:
    whole = png(picture(0, 32))
    for damaged in (b"", b"no image", whole[:100], whole[: len(whole) // 2], whole[:60] + b"\0\0" + whole[62:]):
        with pytest.raises(ValueError, match=r"cats/1.png cannot be read as an image .* Replace it or delete it"):
            rgb(damaged, "cats/1.png")

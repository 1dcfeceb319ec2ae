"""What is transparent is seen in front of a background, and nothing is lost in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from stillhouse.data.decode import Decoding, rgb
from tests.helpers.pictures import encoded, picture, png


def drawn(shape: str, mode: str) -> Image.Image:
    """Black ink on nothing: the shape is in alpha alone."""
    image = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    if shape == "circle":
        draw.ellipse((4, 4, 28, 28), fill=(0, 0, 0, 255))
    else:
        draw.line((4, 4, 28, 28), fill=(0, 0, 0, 255), width=4)
    return image.convert(mode)


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGBA"), ("PNG", "LA"), ("WEBP", "RGBA"), ("TIFF", "RGBA")])
def test_ink_on_nothing_is_seen_on_white(kind: str, mode: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    circle, line = (np.asarray(rgb(encoded(drawn(shape, mode), kind, **options), "a")) for shape in ("circle", "line"))
    assert (circle[16, 16], circle[0, 31]) == (pytest.approx([0, 0, 0]), pytest.approx([255, 255, 255]))
    assert (circle != line).any()


def test_alpha_mixes_with_the_background_and_none_ignores_it() -> None:
    image = picture(2)
    translucent = image.copy()
    translucent.putalpha(51)  # a fifth
    grey = np.asarray(rgb(png(translucent), "a", Decoding(background="#808080"))).astype(int)
    assert np.abs(grey - (np.asarray(image) / 5 + 128 * 4 / 5)).max() <= 1
    assert (np.asarray(rgb(png(translucent), "a", Decoding(background="none"))) == np.asarray(image)).all()
    translucent.putalpha(255)
    assert (np.asarray(rgb(png(translucent), "a")) == np.asarray(image)).all()


def test_a_palette_may_have_transparent_and_translucent_colours(tmp_path: Path) -> None:
    palette = picture(2).quantize(4)
    colours, which = np.asarray(palette.convert("RGB")).astype(int), np.asarray(palette)
    palette.save(tmp_path / "a.png", transparency=bytes([0, 128, 255, 255]))
    result = np.asarray(rgb(tmp_path / "a.png", "a"))
    assert (result[which == 0] == 255).all()
    assert np.abs(result[which == 1] - (colours[which == 1] + 255) / 2).max() <= 2
    assert (result[which >= 2] == colours[which >= 2]).all()
    palette.save(tmp_path / "a.gif", transparency=1)
    assert (np.asarray(rgb(tmp_path / "a.gif", "a"))[which == 1] == 255).all()


def test_a_drawing_that_cannot_be_seen_on_the_background_is_refused() -> None:
    white = Image.new("RGBA", (8, 8), (255, 255, 255, 0))
    white.paste((255, 255, 255, 255), (2, 2, 6, 6))
    hidden = picture(1)
    hidden.putalpha(0)
    for image in (white, hidden):
        with pytest.raises(ValueError, match=r"^a.png is transparent, and nothing of it can be seen on --background w"):
            rgb(png(image), "a.png")
    assert np.asarray(rgb(png(white), "a", Decoding("grey"))).std() > 0
    assert (np.asarray(rgb(png(Image.new("RGBA", (8, 8))), "a")) == 255).all()  # nothing is hidden in it

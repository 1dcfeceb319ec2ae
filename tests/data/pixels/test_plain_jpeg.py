from __future__ import annotations

import io
import random

import pytest
from PIL import Image

from stillhouse.data.decode import Header, header
from stillhouse.data.pixels.plain_jpeg import plain_size


def jpeg(mode: str = "RGB", size: tuple[int, int] = (30, 20), **how: object) -> bytes:
    written = io.BytesIO()
    Image.effect_noise(size, 60).convert(mode).save(written, "JPEG", **how)
    return written.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_plain_jpeg_tells_its_width_and_height(mode: str) -> None:
    assert plain_size(jpeg(mode)) == (30, 20)
    assert plain_size(jpeg(mode, comment=b"of a cat", quality=5)) == (30, 20)


def test_what_may_be_shown_otherwise_is_left_to_pillow() -> None:
    others = [jpeg(exif=turned(6)), jpeg(progressive=True), jpeg("CMYK"), jpeg(icc_profile=b"x" * 200)]
    assert [plain_size(content) for content in others] == [None] * 4
    assert [plain_size(content) for content in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + jpeg())] == [None] * 3


def disagreements(count: int, seed: int = 0) -> list[bytes]:
    """Return damaged JPEGs of which a size is told that Pillow does not tell."""
    drawn, found = random.Random(seed), list[bytes]()
    whole = [jpeg(), jpeg("L"), jpeg(comment=b"abc"), jpeg(exif=turned(6)), jpeg(progressive=True), jpeg("CMYK")]
    for _ in range(count):
        content = bytearray(drawn.choice(whole))
        for _ in range(drawn.randint(1, 3)):
            content[drawn.randrange(2, 220)] = drawn.choice((0, 1, 6, 8, 0xC0, 0xDA, 0xE1, 0xFF, drawn.randrange(256)))
        if drawn.random() < 0.2:
            del content[drawn.randrange(len(content)) :]
        size = plain_size(bytes(content))
        try:
            seen = header(bytes(content), "it")
        except ValueError:
            seen = Header(0, 0, 0)
        if size is not None and (*size, 1) != (seen.width, seen.height, seen.frames):
            found.append(bytes(content))
    return found


def test_whatever_is_told_of_a_damaged_file_pillow_tells_too() -> None:
    assert disagreements(1000) == []

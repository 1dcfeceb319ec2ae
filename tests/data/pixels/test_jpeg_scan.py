from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from stillhouse.data.pixels.jpeg_scan import Scanned, scanned
from tests.damaged_jpegs import WAYS, smooth
from tests.helpers.pictures import encoded, picture


def line() -> Image.Image:
    image = Image.new("L", (1200, 900), 255)
    ImageDraw.Draw(image).line((0, 0, 1200, 900), 0)
    return image


def mostly_plain() -> Image.Image:
    image = Image.new("RGB", (2000, 1500), (250, 250, 250))
    image.paste(picture(1, 300, 200), (1200, 900))
    return image


PICTURES = {
    "noise": picture(1, 200, 150),
    "smooth": smooth(200, 150),
    "white": Image.new("RGB", (400, 300), (255, 255, 255)),
    "black": Image.new("RGB", (2000, 1500)),
    "plain": mostly_plain(),
    "line": line(),
    "ramp": Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (64, 1))),
    "four colours": smooth(90, 60).convert("CMYK"),
    "a pixel": Image.new("RGB", (1, 1)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_that_nothing_is_wrong_with_are_whole(name: str) -> None:
    for way in WAYS:
        found = scanned(encoded(PICTURES[name], "JPEG", **way))
        assert found == Scanned("progressive" not in way), way  # whose scans only a decoder reads


@pytest.mark.parametrize("value", [b"\0", b"\xff"])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_bytes_that_were_never_written_are_counted(value: bytes, way: dict[str, object]) -> None:
    content = encoded(picture(1, 300, 200), "JPEG", **way)
    middle, many = len(content) // 2, 2000
    found = scanned(content[:middle] + many * value + content[middle + many :])
    assert not found.is_whole
    assert "never written" in found.damage or (value == b"\xff" and "progressive" in way)  # where only decoding tells


def test_zeros_that_can_be_a_plain_area_are_no_damage() -> None:
    content = encoded(Image.new("L", (2000, 1500), 255), "JPEG", optimize=True)
    assert b"\0" * 1000 in content
    assert scanned(content) == Scanned(True)


def test_a_restart_marker_where_there_can_be_none_is_damage() -> None:
    """A decoder passes over it, and the rest of the picture is grey."""
    content = encoded(smooth(200, 150), "JPEG")
    odd = scanned(content[:-900] + b"\xff\xd3" + content[-898:])
    assert odd == Scanned(False, "is damaged in its middle, where a marker is that does not belong there")


def test_a_jpeg_ends_at_its_marker_whatever_follows() -> None:
    content = encoded(smooth(60, 40), "JPEG")
    assert scanned(content + b"a trailer") == Scanned(True)
    assert scanned(content[:-2]) == Scanned(False)


@pytest.mark.parametrize(
    ("segment", "place", "value"),
    [
        ("a length in a table of codes", b"\xff\xc4", (5, 0xFF)),
        ("a difference of more than 15 bits", b"\xff\xc4", (21, 0x20)),
        ("a table that is missing", b"\xff\xda", (6, 0x33)),
        ("a sampling of 10", b"\xff\xc0", (11, 0xA2)),
        ("a table of quantisation that is missing", b"\xff\xc0", (12, 3)),
        ("a colour that is not in the frame", b"\xff\xda", (5, 9)),
        ("a part of the frequencies", b"\xff\xda", (12, 10)),
    ],
)
def test_headers_that_a_decoder_may_refuse_are_not_whole(segment: str, place: bytes, value: tuple[int, int]) -> None:
    content = bytearray(encoded(smooth(60, 40), "JPEG"))
    offset, number = value
    content[content.index(place) + offset] = number
    assert scanned(bytes(content)) == Scanned(False), segment

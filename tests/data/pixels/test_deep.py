"""Images of more than 8 bits are scaled by their type, or refused; none comes out black."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from stillhouse.data.decode import Decoding, rgb
from tests.helpers.pictures import encoded

PNG_MARK = b"\x89PNG\r\n\x1a\n"


def tiff(values: np.ndarray, bits: int, sample_format: int = 1, white_is_zero: bool = False) -> bytes:
    """A TIFF of one row; of 12 bits with two values in three bytes."""
    if bits == 12:
        pairs = values.reshape(-1, 2).tolist()
        data = b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in pairs)
    else:
        data = values.tobytes()
    size = (256, len(values)), (257, 1), (258, bits), (259, 1), (262, 1 - white_is_zero)
    tags = (*size, (273, 8), (277, 1), (278, 1), (279, len(data)), (339, sample_format))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + bytes(4)


def deep_png(rows: np.ndarray, bits: int, colour: int, transparent: bytes = b"") -> bytes:
    """A PNG written by hand: (H, ...) bytes or big-endian values a row."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    width = rows.shape[1] * 8 // bits if bits < 8 else rows.shape[1]
    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), bits, colour, 0, 0, 0))
    start += chunk(b"tRNS", transparent) if transparent else b""
    data = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)))
    return PNG_MARK + start + data + chunk(b"IEND", b"")


def greys(file: bytes, max_value: float | None = None) -> list[int]:
    """The first row"""
    values: list[int] = np.asarray(rgb(file, "a", Decoding(max_value=max_value)))[0, :, 0].tolist()
    return values


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (encoded(Image.fromarray(np.array([[0, 256, 32768, 65535]], np.uint16)), "PNG"), [0, 1, 128, 255]),
        (tiff(np.array([0, 256, 65535], "<u2"), 16), [0, 1, 255]),
        (tiff(np.array([0, 65535], "<u2"), 16, white_is_zero=True), [255, 0]),
        (tiff(np.array([0, 2048, 4095, 16]), 12), [0, 128, 255, 1]),
        (tiff(np.array([0, 32767, 128], "<i2"), 16, sample_format=2), [0, 255, 1]),
        (tiff(np.array([0, 0.5, 1], "<f4"), 32, sample_format=3), [0, 128, 255]),
        (tiff(np.array([0, 65535], "<u4"), 32), [0, 255]),
        (b"P5 3 1 4095\n" + np.array([0, 2048, 4095], ">u2").tobytes(), [0, 128, 255]),
        (b"P5 2 1 65535\n" + np.array([0, 65535], ">u2").tobytes(), [0, 255]),
        (b"P6 1 1 1023\n" + np.array([0, 512, 1023], ">u2").tobytes(), [0]),
    ],
)
def test_each_type_has_its_white(file: bytes, expected: list[int]) -> None:
    assert greys(file) == expected


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (
            tiff(np.array([0, 4095], "<u2"), 16),
            "16 bits but values only up to 4095, which is nearly black: give --max",
        ),
        (tiff(np.array([-5, 3000], "<i2"), 16, sample_format=2), r"holds negative values \(down to -5\)"),
        (tiff(np.array([0, 200], "<f4"), 32, sample_format=3), "values up to 200, and 1 is white: give --max_value"),
        (tiff(np.array([0, np.nan], "<f4"), 32, sample_format=3), "holds NaN or infinity"),
        (tiff(np.array([0, np.inf], "<f4"), 32, sample_format=3), "holds NaN or infinity"),
        (tiff(np.array([0, 4e9], "<u4"), 32), r"values up to 4e\+09, and 65535 is white"),
        (deep_png(np.full((2, 2, 3), 4000, ">u2"), 16, colour=2), "16 bits but is nearly black, as if it held 12"),
    ],
)
def test_what_would_come_out_black_or_cut_is_refused(file: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^scan.tif .*{sentence}"):
        rgb(file, "scan.tif")


def test_a_white_of_ones_own() -> None:
    twelve_of_sixteen = tiff(np.array([0, 2048, 4095], "<u2"), 16)
    assert greys(twelve_of_sixteen, 4095) == [0, 128, 255]
    assert greys(twelve_of_sixteen, 65535) == [0, 8, 16]  # dark, and meant to be
    assert greys(tiff(np.array([0, 128, 255], "<f4"), 32, sample_format=3), 255) == [0, 128, 255]
    with pytest.raises(ValueError, match="holds values up to 65535, and 4095 is white"):
        greys(tiff(np.array([65535], "<u2"), 16), 4095)


def test_all_black_is_black() -> None:
    assert greys(tiff(np.array([0, 0], "<u2"), 16)) == [0, 0]


def test_transparent_values_of_png_are_those_of_its_depth() -> None:
    """Pillow hands over two bits' 1 as 1 of 255, and sixteen bits' colour as it is."""
    assert greys(deep_png(np.array([[0b00011011]], np.uint8), 2, colour=0, transparent=b"\0\1")) == [0, 255, 170, 255]
    assert greys(deep_png(np.array([[0x01, 0x23]], np.uint8), 4, colour=0, transparent=b"\0\1")) == [0, 255, 34, 51]
    grey = np.array([[0x1234, 0x8000]], ">u2")
    assert greys(deep_png(grey, 16, colour=0, transparent=b"\x12\x34")) == [255, 128]
    colours = np.array([[[0x1234, 0x2000, 0x3000], [0x8000, 0, 0]]], ">u2")
    key = np.array([0x1234, 0x2000, 0x3000], ">u2").tobytes()
    assert greys(deep_png(colours, 16, colour=2, transparent=key)) == [255, 128]

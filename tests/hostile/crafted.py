"""Bytes of images that say of themselves what is not so."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

from tests.helpers.pictures import encoded, picture


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, data: bytes, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", head), *chunks, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def zeros(length: int) -> bytes:
    """Return so many zeros, compressed."""
    packer, packed = zlib.compressobj(9), []
    for _ in range(length >> 20):
        packed.append(packer.compress(bytes(1 << 20)))
    return b"".join([*packed, packer.compress(bytes(length & 0xFFFFF)), packer.flush()])


def good(kind: str, size: int = 40) -> bytes:
    return encoded(picture(5, size), kind)


def jpeg_of_size(width: int, height: int) -> bytes:
    content = bytearray(good("JPEG"))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def many_scans() -> bytes:
    """Return a progressive JPEG whose scans each go over 60 million pixels, and hold nothing."""
    begin, tables = io.BytesIO(), bytearray()
    Image.new("L", (64, 64)).save(begin, "JPEG", progressive=True)
    content = bytearray(begin.getvalue())
    at = content.index(b"\xff\xc2") + 5
    content[at : at + 4] = struct.pack(">HH", 8000, 8000)
    first = content.index(b"\xff\xda")
    while (tables_at := content.find(b"\xff\xc4", first)) >= 0:  # keep the tables that later scans bring
        length = struct.unpack(">H", content[tables_at + 2 : tables_at + 4])[0]
        tables += content[tables_at : tables_at + 2 + length]
        del content[tables_at : tables_at + 2 + length]
    scan = b"\xff\xda" + struct.pack(">H", 8) + b"\x01\x01\x00\x01\x3f\x00" + bytes(4)
    return bytes(content[:first] + tables + content[first:-2]) + 3000 * scan + b"\xff\xd9"


def bmp(width: int, height: int, compression: int = 0, bits: int = 24) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(head), 0, 0, 54) + head + bytes(60)


def tiff(entries: list[tuple[int, int, int, int]], following: int = 0, tail: bytes = b"") -> bytes:
    ifd = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + ifd + struct.pack("<I", following) + tail


def plain_tiff(width: int, height: int, following: int = 0, rows: int = 1) -> bytes:
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(273, 4, 1, 200), (277, 3, 1, 1), (278, 4, 1, rows), (279, 4, 1, 256)]
    return tiff(entries, following, bytes(400))


def gif_of_frames(count: int) -> bytes:
    begin = good("GIF", 8)[:-1]
    place = struct.pack("<HHHHB", 0, 0, 1, 1, 0)
    frame = b"\x21\xf9\x04\x00\x00\x00\x00\x00\x2c" + place + b"\x02\x02\x44\x01\x00"
    return begin + count * frame + b"\x3b"


def animated_png(frames: int) -> bytes:
    control = chunk(b"acTL", struct.pack(">II", frames, 0))
    return png(8, 8, zlib.compress(bytes(8 * 25)), control)

"""Images that are none, or that would take all memory, all time or a program to read; and what is in their place."""

from __future__ import annotations

import os
import random
import shutil
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from tests.helpers.pictures import encoded, picture
from tests.hostile.crafted import (
    animated_png,
    bmp,
    chunk,
    gif_of_frames,
    good,
    jpeg_of_size,
    many_scans,
    plain_tiff,
    png,
    tiff,
    zeros,
)
from tests.hostile.trial import Case, Ground, Maker
from tests.hostile.watch import MARK

SHELL = f"touch {MARK}"
POSTSCRIPT = b"%%!PS-Adobe-3.0 EPSF-3.0\n%%%%BoundingBox: 0 0 16 16\n(%%pipe%%%s) (w) file\nshowpage\n%%%%EOF\n" % (
    SHELL.encode()
)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script><image href="file:///etc/passwd"/></svg>'
ENTITIES = b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>'


CONTENTS: dict[str, Callable[[], bytes]] = {
    "EPS.jpg": lambda: POSTSCRIPT,
    "EPS with a preview.png": lambda: b"\xc5\xd0\xd3\xc6" + struct.pack("<IIIIIIH", 32, 64, 0, 0, 0, 0, 0) + POSTSCRIPT,
    "PDF.png": lambda: b"%PDF-1.7\n1 0 obj<</OpenAction<</S/Launch/F(sh)>>>>endobj\n%%EOF",
    "PSD.jpg": lambda: b"8BPS" + struct.pack(">HIHHIIHH", 1, 0, 0, 3, 30000, 30000, 8, 3) + bytes(300),
    "WMF.bmp": lambda: b"\xd7\xcd\xc6\x9a" + struct.pack("<HhhhhHIH", 0, 0, 0, 99, 99, 96, 0, 0) + bytes(80),
    "EMF.bmp": lambda: struct.pack("<II", 1, 88) + bytes(32) + b" EMF" + bytes(200),
    "SVG.png": lambda: SVG,
    "SVG with entities.png": lambda: ENTITIES,
    "web page.jpg": lambda: b"<!DOCTYPE html><script>alert(1)</script>",
    "zip.png": lambda: b"PK\x03\x04" + bytes(80),
    "gzip bomb.png": lambda: b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + zeros(1 << 26)[2:],
    "XPM.png": lambda: b'/* XPM */\nstatic char *a[] = {"9999 9999 2 1", "a c red"};',
    "XBM.png": lambda: b"#define a_width 99999\n#define a_height 99999\nstatic char a_bits[] = {0x00};",
    "ICO.png": lambda: b"\0\0\x01\0" + struct.pack("<H", 65535) + bytes(16 * 200),
    "ICNS.png": lambda: b"icns" + struct.pack(">I", 0xFFFFFFFF) + b"ic10" + struct.pack(">I", 0) + bytes(60),
    "FITS.tif": lambda: b"SIMPLE  =                    T" + 2800 * b" ",
    "HDF5.png": lambda: b"\x89HDF\r\n\x1a\n" + bytes(100),
    "DDS.png": lambda: b"DDS " + struct.pack("<III", 124, 0x1007, 65535) + bytes(200),
    "DICOM.png": lambda: bytes(128) + b"DICM" + bytes(80),
    "Python.png": lambda: f"import os; os.system({SHELL!r})".encode(),
    "HEIC.jpg": lambda: b"\0\0\0\x18ftypheic" + bytes(100),
    "Git LFS.jpg": lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "nothing.jpg": lambda: b"",
    "zeros.png": lambda: bytes(5000),
    "a terminal's commands.png": lambda: b"\x1b]0;owned\x07\x1b[2J" * 20,
    "huge.png": lambda: png(2**31 - 1, 2**31 - 1, zlib.compress(b"0")),
    "too large.png": lambda: png(30_000, 30_000, zeros(1 << 20)),
    "bomb.png": lambda: png(15_900, 16_000, zeros(1 << 20)),
    "bomb of text.png": lambda: png(16, 16, zeros(16 * 49), chunk(b"zTXt", b"a\0\0" + zeros(1 << 28))),
    "bomb of a profile.png": lambda: png(16, 16, b"", chunk(b"iCCP", b"a\0\0" + zeros(1 << 28))),
    "compressed text.png": lambda: png(16, 16, b"", 5000 * chunk(b"zTXt", b"a\0\0" + zeros(1 << 20))),
    "no size.png": lambda: png(0, 0, b""),
    "depth 77.png": lambda: png(16, 16, zeros(16 * 49), depth=77),
    "a chunk of 4 GB.png": lambda: png(16, 16, b"")[:33] + b"\xff\xff\xff\xffIDAT" + bytes(50),
    "huge.gif": lambda: b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"\x2c" + 8 * b"\xff" + b"\0\x02\0;",
    "huge.jpg": lambda: jpeg_of_size(65535, 65535),
    "many scans.jpg": many_scans,
    "huge.bmp": lambda: bmp(2**31 - 1, 2**31 - 1),
    "negative.bmp": lambda: bmp(-5, 5),
    "run lengths.bmp": lambda: bmp(15_000, 15_000, compression=1, bits=8),
    "huge.tif": lambda: plain_tiff(2**32 - 1, 2**32 - 1),
    "large.tif": lambda: plain_tiff(15_000, 15_000),
    "strips of 4 GB.tif": lambda: plain_tiff(16, 16, rows=2**32 - 1)[:-300],
    "pages in a circle.tif": lambda: plain_tiff(16, 16, following=8)[:150],
    "tags of 4 GB.tif": lambda: tiff([(tag, 5, 2**32 - 1, 8) for tag in range(256, 300)]),
    "huge.webp": lambda: b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0" + 6 * b"\xff",
    "huge.qoi": lambda: b"qoif" + struct.pack(">IIBB", 2**32 - 1, 2**32 - 1, 4, 0) + bytes(8),
    "huge.ppm": lambda: b"P6 999999999 999999999 255\n" + bytes(100),
    "letters.ppm": lambda: b"P3 16 16 255\n" + 100_000 * b"9",
    "endless numbers.pgm": lambda: b"P2 " + 1_000_000 * b"9" + b" 5 255\n",
    "no white.pgm": lambda: b"P5 16 16 0\n" + bytes(256),
    "huge.pcx": lambda: b"\x0a\x05\x01\x08" + struct.pack("<HHHH", 0, 0, 65535, 65535) + bytes(116),
    "huge.sgi": lambda: b"\x01\xda\x01\x01" + struct.pack(">HHHH", 3, 65535, 65535, 3) + bytes(600),
    "huge.tga": lambda: struct.pack("<BBBHHBHHHHBB", 0, 0, 10, 0, 0, 0, 0, 0, 65535, 65535, 24, 0) + bytes(30),
    "anything.tga": lambda: b"what is this? not a picture of any kind at all",
    "huge.jp2": lambda: good("JPEG2000").replace(struct.pack(">II", 40, 40), struct.pack(">II", 2**31, 2**31)),
    "tiles.jp2": lambda: b"\xff\x4f\xff\x51" + struct.pack(">HHIIIIII", 41, 0, 9**9, 9**9, 0, 0, 1, 1) + bytes(68),
    "huge.avif": lambda: good("AVIF").replace(struct.pack(">II", 40, 40), struct.pack(">II", 2**31, 2**31)),
}
CONTENTS |= {
    f"half.{kind}": lambda kind=kind: (lambda whole: whole[: len(whole) // 2])(good(kind, 60))  # type: ignore[misc]
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "JPEG2000", "AVIF", "PPM", "PCX", "SGI", "TGA", "QOI")
}
SUFFIXES = {"JPEG2000": "jp2", "TIFF": "tif"}
HARMLESS: dict[str, Callable[[], bytes]] = {
    "1 x 65535.png": lambda: png(1, 65535, zeros(4 * 65535)),
    "65535 x 1.png": lambda: png(65535, 1, zeros(3 * 65535 + 1)),
    "1 x 65500.jpg": lambda: encoded(Image.new("RGB", (1, 65500), "red"), "JPEG"),
    "a picture and a zip.png": lambda: good("PNG") + b"PK\x03\x04" + f"{MARK}.py".encode() + bytes(200),
    "a picture and a program.jpg": lambda: b"\xff\xd8\xff\xfe\0\x20<?php a('id'); ?>" + bytes(13) + good("JPEG")[2:],
    "a script and a picture.gif": lambda: good("GIF")[:-1] + b"\x21\xfe\x08=1;//abc\0;",
    "large and empty.jpg": lambda: jpeg_of_size(15_000, 15_000)[:800] + b"\xff\xd9",  # libjpeg says nothing
    "PNG.jpg": lambda: good("PNG"),
    "GIF.png": lambda: good("GIF"),
    "a million frames.png": lambda: animated_png(2**31 - 1),
    "many frames.gif": lambda: gif_of_frames(200_000),
    "many comments.png": lambda: png(8, 8, zlib.compress(bytes(8 * 25)), 100_000 * chunk(b"tEXt", b"a\0b")),
    "a circle in EXIF.jpg": lambda: encoded(picture(5), "JPEG", exif=tiff([(0x8769, 4, 1, 8), (0x0112, 3, 1, 99)], 8)),
    "pages in a circle.tiff": lambda: plain_tiff(16, 16, following=8, rows=16),
}


def plant(ground: Ground, name: str) -> Path:
    """Copy good pictures, and return a place among them."""
    shutil.copytree(ground.pictures, ground.place / "data")
    return ground.place / "data" / "train" / "ant" / name


def _written(name: str, content: Callable[[], bytes], ends: str) -> Maker:
    stem, _, kind = name.rpartition(".")

    def make(ground: Ground, lot: random.Random) -> Case:
        plant(ground, f"{stem}.{SUFFIXES.get(kind, kind.lower())}").write_bytes(content())
        size = lot.choice([[], ["--resize", "pad"], ["--resize", "squash"], ["--image_size", "32"]])
        return Case(ground.train(ground.place / "data", *size), "read" if ends == "read" else "refused")

    return make


def _placed(name: str, put: Callable[[Path], object], ends: str = "refused", says: str = "") -> Maker:
    def make(ground: Ground, lot: random.Random) -> Case:
        put(plant(ground, name))
        return Case(ground.train(ground.place / "data"), "read" if ends == "read" else "refused", says)

    return make


def _socket(path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    here = os.open(".", os.O_RDONLY)
    os.chdir(path.parent)  # its name may only have 100 letters
    server.bind(path.name)
    os.fchdir(here)
    os.close(here)
    server.close()


def _folder(path: Path) -> None:
    path.mkdir()
    picture(7, 16).save(path / "1.png")


def _circle(path: Path) -> None:
    path.symlink_to("other.png")
    path.with_name("other.png").symlink_to(path.name)


def _sparse(path: Path) -> None:
    path.write_bytes(good("PNG")[:40])
    os.truncate(path, 1 << 40)


def _linked(path: Path) -> None:
    for number in range(6):
        (path.parent / f"again{number}").symlink_to(path.parents[number % 3])


PLACES: dict[str, Maker] = {
    "a pipe": _placed("1.jpg", os.mkfifo),
    "a socket": _placed("1.jpg", _socket),
    "a link to a device": _placed("1.jpg", lambda path: path.symlink_to("/dev/zero")),
    "a link to a terminal": _placed("1.jpg", lambda path: path.symlink_to("/dev/tty")),
    "a link to secrets": _placed("1.jpg", lambda path: path.symlink_to("/etc/passwd")),
    "a link to the kernel's log": _placed("1.jpg", lambda path: path.symlink_to("/proc/kmsg")),
    "a link to a process": _placed("1.jpg", lambda path: path.symlink_to("/proc/self/mem")),
    "a folder called x.jpg": _placed("x.jpg", _folder, "read", "in folders inside class folders"),
    "links in a circle": _placed("one.png", _circle, says="circle"),
    "a link to itself": _placed("me.png", lambda path: path.symlink_to(path.name), says="circle"),
    "a terabyte": _placed("1.png", _sparse),
    "links to folders above": _placed("-", _linked, "read", "were not followed"),
    "a name that colours": _placed("\x1b[31m\x07red\n.png", lambda path: path.write_bytes(b"")),
    "a name that turns around": _placed("\u202egnp.png", lambda path: path.write_bytes(b"0")),
    "a name that is no UTF-8": _placed(os.fsdecode(b"\xff\xfe.png"), lambda path: path.write_bytes(b"0")),
    "a name like an option": _placed("--folder=x.png", lambda path: path.write_bytes(b"0")),
}

KINDS: dict[str, Maker] = {
    **{f"image: {name}": _written(name, content, "refused") for name, content in CONTENTS.items()},
    **{f"image: {name}": _written(name, content, "read") for name, content in HARMLESS.items()},
    **{f"image: {name}": maker for name, maker in PLACES.items()},
}

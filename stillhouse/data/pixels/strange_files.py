"""Files that are called images and are something else, or damaged: what to say about them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PIL import Image

_OTHERS = {  # by the first bytes, in lower case and without leading blanks
    b"version https://git-lfs": "it is a Git LFS pointer; run git lfs pull",
    b"%!ps": "it is PostScript; save it as PNG",
    b"\xc5\xd0\xd3\xc6": "it is PostScript; save it as PNG",
    b"%pdf": "it is a PDF; save its pages as PNG",
    b"\xd7\xcd\xc6\x9a": "it is a Windows metafile; save it as PNG",
    b"8bps": "it is a Photoshop file; save it as PNG",
    b"<svg": "it is an SVG drawing; save it as PNG",
    b"<?xml": "it is XML, perhaps an SVG drawing; save it as PNG",
    b"<!doctype": "it is a web page; download the image again",
    b"<html": "it is a web page; download the image again",
    b"pk\x03\x04": "it is a zip archive; unpack it",
    b"\x1f\x8b": "it is a gzip archive; unpack it",
    b"simple  =": "it is a FITS file; save it as 16-bit TIFF",
    b"\x89hdf": "it is an HDF5 file; save its images as PNG",
}
_IMAGES = {
    b"ii*\0": "TIFF",
    b"mm\0*": "TIFF",
    b"\xff\xd8": "JPEG",
    b"\x89png": "PNG",
    b"gif8": "GIF",
    b"riff": "WebP",
    b"bm": "BMP",
}
MOST_SCANS = 100  # of a progressive JPEG; about ten are usual
_HEIC = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")


def kind_of(start: bytes) -> str:
    """Return what a file is that Pillow does not know, by its first 200 bytes, and what to do about it."""
    if not start.strip(b"\0"):
        return f"it {'holds only zeros' if start else 'is empty'}; replace or delete it"
    if start[4:8] == b"ftyp" and start[8:12] in _HEIC:
        return "it is HEIC; install pillow-heif, or save it as JPEG or PNG"
    if start[128:132] == b"DICM":
        return "it is DICOM; save it as 16-bit PNG"
    letters = start.lstrip().lower()
    for mark, words in _OTHERS.items():
        if letters.startswith(mark):
            return words
    damaged = next((name for mark, name in _IMAGES.items() if letters.startswith(mark)), None)
    if damaged:
        return f"it is a {damaged} file that is damaged or of a rare kind; replace it, or save it as PNG"
    return "it is not in an image format that is read; replace or delete it"


def refuse_scans(image: Image.Image, content: Callable[[], bytes], name: str) -> None:
    """Refuse a JPEG that goes over its pixels so often, with hardly a byte each time, that decoding takes minutes."""
    if "progressive" in image.info and content().count(b"\xff\xda") > MOST_SCANS:
        raise ValueError(f"{name} has more than {MOST_SCANS} scans, which no camera makes: save it again")


@contextmanager
def libtiff_errors(image: Image.Image) -> Iterator[None]:
    """Raise what libtiff writes to the terminal while a TIFF is decoded: some damage is told there alone.

    Raises:
        ValueError: With libtiff's first complaint.
    """
    try:
        terminal = os.dup(2) if image.format == "TIFF" else None
    except OSError:  # there is none
        terminal = None
    if terminal is None:
        yield
        return
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            written.seek(0)
            lines = written.read().decode(errors="replace").splitlines()
        complaint = next((line for line in lines if line and "arning" not in line), None)
    if complaint:
        raise ValueError(complaint.strip(" ."))

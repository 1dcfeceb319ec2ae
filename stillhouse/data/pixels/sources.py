"""Sources of an image: a file, a part of one, or bytes in memory."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

WHOLE = 1 << 26  # bytes; larger files are opened, not read at once


@dataclass(frozen=True, slots=True)
class FilePart:
    """An image file inside another file, uncompressed, as in tar archives."""

    path: Path
    offset: int  # bytes
    size: int
    name: str  # for messages

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Encoded:
    """The bytes of an image file, in memory."""

    content: bytes
    name: str  # for messages

    def __str__(self) -> str:
        return self.name


Source = Path | FilePart | Encoded


def content_of(source: Source | bytes) -> bytes:
    """Return the bytes of an image file.

    Raises:
        OSError: If it cannot be read.
    """
    if isinstance(source, Path):
        size = source.stat().st_size
        return _read(source, 0, size) if size else b""
    if isinstance(source, FilePart):
        return _read(source.path, source.offset, source.size)
    return source.content if isinstance(source, Encoded) else source


def ready(source: Source | bytes, name: str) -> bytes | Path:
    """Return what to decode an image from: its bytes, or a file that is too large to be read at once.

    A file on disk costs four system calls; where many small images are read, these are much of the time.

    Raises:
        OSError: If it cannot be read.
        ValueError: If there is no such file, or it is not a file.
    """
    if not isinstance(source, Path):
        return content_of(source)
    try:
        about = os.stat(source)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise ValueError(f"{name} is missing: restore it") from None
    if not stat.S_ISREG(about.st_mode):
        raise ValueError(f"{name} is a folder, pipe, socket or device: remove it")
    if about.st_size > WHOLE:
        return source
    return _read(source, 0, about.st_size) if about.st_size else b""  # reading may wait for ever: /proc/kmsg


def _read(path: Path, offset: int, size: int) -> bytes:
    """Return so many bytes of a file, or fewer if it ends before."""
    file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        content = os.pread(file, size, offset)
        while len(content) < size and (more := os.pread(file, size - len(content), offset + len(content))):
            content += more
        return content
    finally:
        os.close(file)

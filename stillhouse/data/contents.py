"""Contents of image files: a digest of each, and whether it is whole, found out once and remembered.

Every file is read once from beginning to end. The segments of JPEGs and the checksums of PNGs show whether a decoder
will read them to their end, without decoding them. Other formats, and what looks odd, are decoded to make sure.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from ..checkpoints import write_atomically
from .decode import PLAIN, Decoding, FilePart, Source, content_of, header, quiet, rgb
from .pixels.jpeg_scan import scanned
from .pixels.plain_jpeg import plain_size

FEW, LITTLE = 2_000, 10**8  # files and bytes; less is read again in a second, and not remembered
MUCH = 3 * 10**9  # bytes; reading more takes so long that it is said
SOME, MANY = 200, 10_000  # images that are decoded to see whether they are whole: remembered, said
KEPT = 50  # folders that are remembered
_LARGE = 1 << 26  # bytes; larger files are not held in memory, but decoded to see whether they are whole
_MOST = 1 << 32  # bytes; 256 megapixels, the most that is read, take less in any format
_RULES = 2  # by which files are whole; what was remembered of others is not used
_AT_ONCE = 64  # files that a thread is given
_TAIL = 1 << 12  # bytes at the end of a file
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_TIFF = (b"II", b"MM")
_ROW = np.dtype([("key", "V16"), ("digest", "V16"), ("width", "<u4"), ("height", "<u4"), ("frames", "<u4")])


@dataclass(frozen=True, slots=True)
class Content:
    """The contents of an image file."""

    digest: bytes  # of all its bytes
    width: int = 0  # pixels, as it is shown
    height: int = 0
    frames: int = 1
    problem: str = ""  # a sentence that says why it cannot be read


def examine(
    paths: Sequence[Source],
    cache: Path | None = None,
    decoding: Decoding = PLAIN,
    say: Callable[[str], None] | None = None,
) -> list[Content]:
    """Return what each file contains.

    Args:
        cache: A file that remembers the answers for files that did not change since; it is made when it pays.
        say: Is told if it will take long.
    """
    keys = [_key(path) for path in paths]
    known = _remembered(cache) if cache is not None else {}
    new = [path for path, key in zip(paths, keys, strict=True) if key not in known]
    if say is not None and (much := sum(map(_size, new))) > MUCH:
        say(f"reading {len(new):,} images ({much / 1e9:.0f} GB) once, to see which they are and whether they are whole")
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # hashing and reading leave Python's lock
        read = dict(zip(new, chain.from_iterable(pool.map(_read_all, _batched(new))), strict=True))
    total = sum(one.size for one in read.values())
    unsure = [path for path, one in read.items() if not one.problem and not one.is_whole]
    if say is not None and len(unsure) > MANY:
        say(f"decoding {len(unsure):,} images once, because their formats do not tell otherwise whether they are whole")
    broken = _decoded(unsure, read, decoding)
    contents = [
        known[key] if key in known else _content(path, read[path], broken.get(path, ""))
        for path, key in zip(paths, keys, strict=True)
    ]
    if cache is not None and (len(new) >= FEW or total >= LITTLE or len(unsure) >= SOME):
        with suppress(OSError):  # no room, no permission
            _remember(cache, keys, contents)
    return contents


def _size(path: Source) -> int:
    try:
        size = path.stat().st_size if isinstance(path, Path) else 0
    except OSError:
        return 0
    return size if size <= _MOST else 0  # others are not read


@dataclass(frozen=True, slots=True)
class _Read:
    digest: bytes
    size: int
    is_whole: bool  # as far as its bytes say
    problem: str = ""
    alone: bool = False  # nothing else may run while it is decoded
    damage: str = ""  # that a decoder passes over
    pixels: tuple[int, int] | None = None  # width and height, where the beginning of a plain JPEG tells them


def _batched(paths: Sequence[Source]) -> list[Sequence[Source]]:
    return [paths[start : start + _AT_ONCE] for start in range(0, len(paths), _AT_ONCE)]


def _read_all(paths: Sequence[Source]) -> list[_Read]:
    return [_read(path) for path in paths]


def _read(path: Source) -> _Read:
    """Read a file and look at its end, in a thread: nothing here calls Pillow."""
    try:
        if isinstance(path, Path) and (size := path.stat().st_size) > _LARGE:
            if size > _MOST:
                return _Read(b"", size, False, f"{path} has {size:,} bytes, more than any image: replace or delete it")
            with path.open("rb") as file:
                return _Read(hashlib.file_digest(file, _digest).digest(), size, is_whole=False, alone=True)
        content = content_of(path)
    except OSError as error:
        return _Read(b"", 0, False, f"{path} cannot be read ({error.strerror}): replace or delete it")
    if content.startswith(_JPEG) and len(content) > _TAIL and not content[-_TAIL:].strip(b"\0"):
        problem = f"{path} ends in zeros, like an unfinished download: get it again"  # grey for libjpeg
        return _Read(b"", len(content), False, problem)
    digest, size = _digest(content).digest(), len(content)
    if content.startswith(_JPEG):
        seen = scanned(content)
        return _Read(digest, size, seen.is_whole, pixels=plain_size(content), damage=seen.damage)
    if content.startswith(_PNG):
        return _Read(digest, size, _png_is_whole(content))
    is_whole = content.startswith(b"BM") and 0 < int.from_bytes(content[2:6], "little") <= size
    return _Read(digest, size, is_whole, alone=content.startswith(_TIFF))  # for what libtiff writes is caught


def _digest(content: bytes = b"") -> hashlib.blake2b:
    return hashlib.blake2b(content, digest_size=16)


def _png_is_whole(content: bytes) -> bool:
    """Return True if the checksums of all its chunks are right."""
    view = memoryview(content)  # so that nothing is copied
    at = len(_PNG)
    while at + 12 <= len(content):
        end = at + 8 + int.from_bytes(content[at : at + 4], "big")
        if zlib.crc32(view[at + 4 : end]) != int.from_bytes(content[end : end + 4], "big"):
            return False
        if content[at + 4 : at + 8] == b"IEND":
            return True
        at = end + 4
    return False


def _decoded(paths: Sequence[Source], read: Mapping[Source, _Read], decoding: Decoding) -> dict[Source, str]:
    """Decode images, and return a sentence about each that cannot be, or only to garbage."""

    def attempt(path: Source) -> str:
        try:
            rgb(path, str(path), decoding)
        except ValueError as error:
            return str(error)
        return _damaged(path, read[path])

    together = [path for path in paths if not read[path].alone]
    found = {path: attempt(path) for path in paths if read[path].alone}
    if not together:
        return {path: problem for path, problem in found.items() if problem}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool, quiet():
        found |= zip(together, pool.map(attempt, together), strict=True)
    return {path: problem for path, problem in found.items() if problem}


def unseen_damage(path: Path) -> str:
    """Return a sentence about a file that can be decoded, but only to garbage; empty if no such damage is known."""
    read = _read(path)
    return read.problem or _damaged(path, read)


def _damaged(path: Source, read: _Read) -> str:
    return f"{path} {read.damage}: get it again" if read.damage else ""


def _content(path: Source, read: _Read, problem: str) -> Content:
    if read.problem or problem:
        return Content(read.digest, problem=read.problem or problem)
    if read.pixels is not None:
        return Content(read.digest, *read.pixels)
    try:
        seen = header(path, str(path))
        return Content(read.digest, seen.width, seen.height, seen.frames)
    except ValueError as error:
        return Content(read.digest, problem=str(error))


def _key(path: Source) -> bytes:
    """Return 16 bytes that change when the file, or the bytes in memory, do; none if it cannot be looked at."""
    if not isinstance(path, Path | FilePart):
        return _digest(content_of(path)).digest()
    part = f" {path.offset} {path.size}" if isinstance(path, FilePart) else ""
    path = path.path if isinstance(path, FilePart) else path
    try:
        about = path.stat()
    except OSError:
        return b""
    when = f"{_RULES} {about.st_dev} {about.st_ino} {about.st_size} {about.st_mtime_ns} {about.st_ctime_ns}{part}"
    return hashlib.blake2b(os.fsencode(path) + f"\0{when}".encode(), digest_size=16).digest()


def _remembered(cache: Path) -> dict[bytes, Content]:
    try:
        content = cache.read_bytes()
        if zlib.crc32(content[4:]).to_bytes(4, "little") != content[:4]:
            return {}
        rows = np.frombuffer(content[4:], _ROW)
    except (OSError, ValueError):  # there is none, or it is damaged
        return {}
    with suppress(OSError):
        os.utime(cache)  # when it was read last
    return {key: Content(*content) for key, *content in rows.tolist()}


def _remember(cache: Path, keys: Sequence[bytes], contents: Sequence[Content]) -> None:
    """Keep what is known of whole files; broken ones are looked at again."""
    whole = [
        (key, one.digest, one.width, one.height, one.frames)
        for key, one in zip(keys, contents, strict=True)
        if key and not one.problem
    ]
    rows = np.array(whole, dtype=_ROW).tobytes()
    cache.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(cache, zlib.crc32(rows).to_bytes(4, "little") + rows)
    others = sorted(cache.parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in others[KEPT:]:
        old.unlink(missing_ok=True)

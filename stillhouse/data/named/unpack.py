"""Archives unpacked without trusting them: all of it or nothing, and nothing outside the folder that it is for."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

_CHUNK = 1 << 20
_GROWING = ".unpacking-"
_DAMAGED: tuple[type[Exception], ...] = (
    *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError),
    *(NotImplementedError, RuntimeError, ValueError),  # of zip archives that are packed in an unknown way
)


@dataclass(frozen=True)
class Limits:
    """The most that an archive may unpack to."""

    files: int
    size: int  # bytes


class _Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _UnsafeError(Exception):
    """A member of an archive that is not unpacked; the text says why."""


def unpack(archives: Sequence[Path], target: Path, limits: Limits) -> None:
    """Unpack tar and zip archives into one new folder, and copy other files into it.

    Where an archive holds a folder of the name of `target`, that folder becomes `target`, and what lies beside it is
    left out. All is written to a temporary folder, which is renamed at the end: a process that is killed leaves no
    half-written data set.

    Args:
        limits: Of all archives together.

    Raises:
        ValueError: If an archive is damaged, or holds links, devices, names that lead elsewhere or more than the
            limits; the sentence says which.
    """
    if os.path.lexists(target):
        raise ValueError(f"{target} is there and lacks files of the data set: delete it, or move it away")
    store = target.parent
    for old in store.glob(f"{_GROWING}{target.name}-*"):  # of a process that was killed
        shutil.rmtree(old, ignore_errors=True)
    growing = Path(tempfile.mkdtemp(prefix=f"{_GROWING}{target.name}-", dir=store))
    writer = _Writer(growing, limits)
    try:
        for archive in archives:
            _unpack_one(archive, writer)
        inner = growing / target.name
        whole = inner if inner.is_dir() else growing
        whole.chmod(0o755)
        os.replace(whole, target)
    except OSError as error:
        raise ValueError(
            f"{archives[0].name} cannot be unpacked to {store} ({error.strerror or error}): make room there, or set "
            "XDG_CACHE_HOME to a folder on a larger disk"
        ) from error
    finally:
        shutil.rmtree(growing, ignore_errors=True)


def _unpack_one(archive: Path, writer: _Writer) -> None:
    with read_safely(archive):
        if zipfile.is_zipfile(archive):
            _unzip(archive, writer)
        elif archive.name.endswith((".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")):
            _untar(archive, writer)
        else:
            with archive.open("rb") as file:
                writer.write(archive.name, file)


@contextmanager
def read_safely(archive: Path) -> Iterator[None]:
    """Turn the errors of a damaged or hostile archive into sentences that name it."""
    try:
        yield
    except _UnsafeError as error:
        raise ValueError(f"{archive} {error}: the file may be malicious") from error
    except _DAMAGED as error:
        reason = str(error).partition("\n")[0].rstrip(":") or type(error).__name__
        raise ValueError(f"{archive} is damaged ({reason}): get it again") from error


def _untar(path: Path, writer: _Writer) -> None:
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            writer.count()
            if member.isdir():
                writer.make(member.name)
            elif member.isreg() and member.sparse is None:
                file = archive.extractfile(member)
                assert file is not None
                writer.write(member.name, file, member.size)
            else:
                kind = "a link" if member.issym() or member.islnk() else "a device, pipe or sparse file"
                raise _UnsafeError(f"holds {kind} ({member.name})")
        assert archive.fileobj is not None
        while archive.fileobj.read(_CHUNK):  # to its end, where gzip has its checksum
            pass


def _unzip(path: Path, writer: _Writer) -> None:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            writer.count()
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _UnsafeError(f"holds a link or device ({member.filename})")
            if member.is_dir():
                writer.make(member.filename)
            else:
                with archive.open(member) as file:
                    writer.write(member.filename, file, member.file_size)


class _Writer:
    """Writes the members of archives below a folder that nobody else writes to."""

    def __init__(self, folder: Path, limits: Limits):
        self.folder = folder
        self._limits = limits
        self._files, self._bytes = 0, 0

    def count(self) -> None:
        self._files += 1
        if self._files > self._limits.files:
            raise _UnsafeError(f"holds more than {self._limits.files:,} files")

    def make(self, name: str) -> None:
        self._place(name).mkdir(parents=True, exist_ok=True)

    def write(self, name: str, content: _Reader | IO[bytes], size: int | None = None) -> None:
        """Write a new file; `size` is what the archive says, and must be what it holds."""
        place, before = self._place(name), self._bytes
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = place.open("xb")
        except FileExistsError:
            raise _UnsafeError(f"holds {name} twice") from None
        with file:
            while chunk := content.read(_CHUNK):
                self._bytes += len(chunk)
                if self._bytes > self._limits.size:
                    raise _UnsafeError(f"unpacks to more than {self._limits.size:,} bytes")
                file.write(chunk)
        if size is not None and self._bytes - before != size:
            raise EOFError(f"{name} has {self._bytes - before:,} of {size:,} bytes")

    def _place(self, name: str) -> Path:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            raise _UnsafeError(f"holds a name that leads out of its folder ({name})")
        return self.folder / path

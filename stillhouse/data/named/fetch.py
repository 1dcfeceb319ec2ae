"""Published files: downloaded once, resumed where a download was cut off, and compared with their checksums."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 10.0  # seconds until a server counts as out of reach
_CHUNK = 1 << 20
_MUCH = 10**8  # bytes; checking or downloading more is said

Say = Callable[[str], object]


@dataclass(frozen=True)
class Archive:
    """A file as its authors publish it.

    Args:
        name: Its file name.
        url: Address to download it from; empty where that needs a login.
        checksum: "md5:..." or "sha256:..."; empty if none is published.
        size: Bytes, about.
        is_kept: Read as it is; others are unpacked.
    """

    name: str
    url: str
    checksum: str
    size: int
    is_kept: bool = False


def fetch(archive: Archive, store: Path, say: Say) -> Path:
    """Return the file below `store`, after a download if it is not there.

    Raises:
        ValueError: If it cannot be downloaded, or is not the published file.
    """
    path = store / archive.name
    if path.is_file():
        verify(archive, path, say)
        return path
    _free(store, archive.size, archive.name)
    say(f"downloading {archive.url} ({in_words(archive.size)}) to {store}")
    part = store / f".{archive.name}.part"
    try:
        _download(archive.url, part)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ValueError(
            f"{archive.name} could not be downloaded ({_reason(error)}); without a network: fetch {archive.url} "
            f"elsewhere and put it into {store}"
        ) from error
    found = checksum(part, archive.checksum)
    if found != archive.checksum:
        part.unlink()
        raise ValueError(
            f"what {archive.url} holds is not the published file: its checksum is {found}, not {archive.checksum}; "
            f"get {archive.name} elsewhere and put it into {store}"
        )
    os.replace(part, path)
    _remember(path, archive.checksum)
    return path


def verify(archive: Archive, path: Path, say: Say) -> None:
    """Refuse a file that is not the published one; a file that was checked once is not read again until it changes.

    Raises:
        ValueError: The sentence names the file and both checksums.
    """
    if not archive.checksum or _remembered(path) == _stamp(path, archive.checksum):
        return
    if path.stat().st_size > _MUCH:
        say(f"checking {path} ({in_words(path.stat().st_size)}), once")
    found = checksum(path, archive.checksum)
    if found != archive.checksum:
        where = f"get it again from {archive.url}" if archive.url else "get it again"
        raise ValueError(
            f"{path} is damaged or another file than the published one: its checksum is {found}, not "
            f"{archive.checksum}; {where}"
        )
    _remember(path, archive.checksum)


def checksum(path: Path, like: str) -> str:
    """Return the checksum of a file, of the kind that `like` begins with."""
    kind = like.partition(":")[0] or "md5"
    with path.open("rb") as file:
        return f"{kind}:{hashlib.file_digest(file, kind).hexdigest()}"


@contextmanager
def alone(store: Path) -> Iterator[None]:
    """Let one process at a time write below a folder, which is made; others wait."""
    try:
        store.mkdir(parents=True, exist_ok=True)
        lock = os.open(store / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ValueError(
            f"{store} cannot be written to ({error.strerror}): set XDG_CACHE_HOME to a folder of your own"
        ) from error
    try:
        with suppress(OSError):  # some network disks have no locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def in_words(size: int) -> str:
    """Return a number of bytes as people say it: 1.2 GB."""
    return f"{size / 1e9:.1f} GB" if size >= 10**9 else f"{max(1, round(size / 1e6))} MB"


def _free(place: Path, size: int, what: str) -> None:
    about = os.statvfs(place)
    free = about.f_bavail * about.f_frsize
    if size > free:
        raise ValueError(
            f"{what} takes {in_words(size)}, and {place} has {in_words(free)} left: make room there, or set "
            "XDG_CACHE_HOME to a folder on a larger disk"
        )


def _download(url: str, part: Path) -> None:
    """Download to `part`, from where an earlier download of it ended."""
    done = part.stat().st_size if part.is_file() else 0
    try:
        answer = _opened(url, done)
    except urllib.error.HTTPError as error:
        error.close()
        if not done or error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        answer = _opened(url, done := 0)  # it was whole already, or is another file now
    with answer:
        goes_on = done and getattr(answer, "status", None) == http.client.PARTIAL_CONTENT
        with part.open("ab" if goes_on else "wb") as file:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
        expected = answer.headers.get("Content-Length") if answer.headers else None
        whole = (done if goes_on else 0) + int(expected or 0)
        if expected and part.stat().st_size < whole:
            raise OSError(f"it ended after {part.stat().st_size:,} of {whole:,} bytes; the same command goes on")


def _opened(url: str, start: int) -> http.client.HTTPResponse:
    """Open an address, or raise within seconds if nobody answers."""
    asked = urllib.request.Request(url, headers={"User-Agent": "stillhouse"})
    if start:
        asked.add_header("Range", f"bytes={start}-")
    answers = list[http.client.HTTPResponse]()
    failures = list[Exception]()

    def ask() -> None:
        try:
            answers.append(urllib.request.urlopen(asked, timeout=PATIENCE))
        except (OSError, ValueError, http.client.HTTPException) as error:
            failures.append(error)

    asking = threading.Thread(target=ask, daemon=True)  # looking up a name may take longer than any timeout
    asking.start()
    asking.join(PATIENCE + 1)
    if failures:
        raise failures[0]
    if not answers:
        raise OSError("it does not answer")
    return answers[0]


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(str(reason).split()) or type(error).__name__


def _stamp(path: Path, expected: str) -> str:
    about = path.stat()
    return json.dumps([expected, about.st_size, about.st_mtime_ns, about.st_ino])


def _checked(path: Path) -> Path:
    return path.with_name(f".{path.name}.checked")


def _remembered(path: Path) -> str:
    try:
        return _checked(path).read_text()
    except (OSError, ValueError):
        return ""


def _remember(path: Path, expected: str) -> None:
    with suppress(OSError):  # no permission
        _checked(path).write_text(_stamp(path, expected))

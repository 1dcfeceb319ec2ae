"""Claims: a file in a run's folder names the process that trains it, so that benches on a shared disk never both do."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

NAME = "claim.json"
EVERY = 10.0  # seconds between two heartbeats
STALE = 120.0  # seconds without a heartbeat after which a claim is taken over


class Claims(AbstractContextManager["Claims"]):
    """Claims on folders of runs; a thread keeps them fresh until they are released.

    A claim is stale if its file was not touched for `STALE` seconds by the clock of the disk. A claim by a process of
    this machine is stale as soon as that process has ended.

    Args:
        folders: Folders to claim. `taken` holds those that no other process has claimed.
    """

    def __init__(self, folders: Iterable[Path]):
        self.taken = [folder for folder in folders if _take(folder)]
        self._over = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="claims", daemon=True)

    def __enter__(self) -> Claims:
        self._heart.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._heart.join()
        for folder in self.taken:
            (folder / NAME).unlink(missing_ok=True)
            if {path.name for path in folder.iterdir()} <= {"lock"}:  # nothing was trained there
                (folder / "lock").unlink(missing_ok=True)
                with suppress(OSError):  # another process is just starting
                    folder.rmdir()

    def _beat(self) -> None:
        while not self._over.wait(EVERY):
            for folder in self.taken:
                with suppress(OSError):  # the disk may be unavailable for a while
                    os.utime(folder / NAME)


def is_claimed(folder: Path) -> bool:
    """Return True if a live process has claimed a run's folder."""
    return _living(folder) is not None


def _living(folder: Path) -> os.stat_result | None:
    """Return the status of the claim in a folder; None if there is none or it is stale."""
    claim = folder / NAME
    try:
        status = claim.stat()
        holder = json.loads(claim.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        holder = None
    is_ours = isinstance(holder, dict) and holder.get("machine") == socket.gethostname()
    if is_ours and not _runs(holder.get("process")):
        return None
    return status if _now(folder) - status.st_mtime < STALE else None


def _take(folder: Path) -> bool:
    """Claim a folder; return False if another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    claim, own = folder / NAME, folder / f".{NAME}.{_who()}"
    own.write_text(json.dumps({"machine": socket.gethostname(), "process": os.getpid()}), encoding="utf-8")
    try:
        if claim.exists() and not _remove_stale(folder, claim):
            return False
        os.link(own, claim)  # of several attempts, one succeeds
        return True
    except FileExistsError:
        return False
    finally:
        own.unlink(missing_ok=True)


def _remove_stale(folder: Path, claim: Path) -> bool:
    """Remove a stale claim; return False if there is a new one by now."""
    try:
        seen = claim.stat()
        if _living(folder) is not None:
            return False
        aside = folder / f".{NAME}.{_who()}.stale"
        os.rename(claim, aside)
        is_same = os.path.samestat(seen, aside.stat())
        if not is_same:  # another process took it over between these lines
            with suppress(FileExistsError):
                os.link(aside, claim)
        aside.unlink()
    except FileNotFoundError:
        return True
    return is_same


def _who() -> str:
    return f"{socket.gethostname()}.{os.getpid()}"


def _runs(process: object) -> bool:
    if not isinstance(process, int):
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def _now(folder: Path) -> float:
    """Return the time by the clock that stamps files there, which may be another machine's."""
    probe = folder / f".clock.{_who()}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        probe.unlink(missing_ok=True)

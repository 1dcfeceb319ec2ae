"""Images of a compressed file, unpacked to disk one after another, so that each can be read alone."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

_MARGIN = 1 << 28  # bytes that stay free on the disk


class Unpacked:
    """The images of one file, in a file of their own that is known by the name, size and time of the first.

    Args:
        store: Folder of all unpacked files.
        path: The compressed file.
        column: The column that is unpacked.
    """

    def __init__(self, store: Path, path: Path, column: str):
        about = path.stat()
        asked = hashlib.blake2b(os.fsencode(path) + f"\0{column}".encode(), digest_size=6).hexdigest()
        when = f"{about.st_size} {about.st_ino} {about.st_mtime_ns} {about.st_ctime_ns}"
        self._asked = asked
        self.file = store / f"{asked}-{hashlib.blake2b(when.encode(), digest_size=8).hexdigest()}.images"
        self._ends = self.file.with_suffix(".ends.npy")  # (N,) int64, where each image ends

    @property
    def is_complete(self) -> bool:
        """True if all images are there."""
        try:
            return bool(self.file.stat().st_size == np.load(self._ends)[-1])
        except (OSError, ValueError, IndexError):  # there are none, or the ends are damaged
            return False

    def parts(self) -> list[tuple[int, int]]:
        """Return where each image begins, and its size, in bytes."""
        ends: list[int] = np.load(self._ends).tolist()
        return [(start, end - start) for start, end in zip([0, *ends], ends, strict=False)]

    def write(self, images: Iterable[bytes]) -> None:
        """Unpack all images, or leave nothing behind.

        Raises:
            ValueError: If the disk has too little room.
        """
        store = self.file.parent
        store.mkdir(parents=True, exist_ok=True)
        growing = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=store))
        try:
            ends = [0]
            with (growing / "images").open("wb") as file:
                for image in images:
                    if len(ends) % 1000 == 1 and shutil.disk_usage(store).free < _MARGIN:
                        raise OSError(f"{_MARGIN >> 20} MB stay free")
                    file.write(image)
                    ends.append(ends[-1] + len(image))
            np.save(growing / "ends.npy", np.array(ends[1:], dtype=np.int64))
            for old in store.glob(f"{self._asked}-*.*"):  # of a former state of that file
                old.unlink()
            os.replace(growing / "ends.npy", self._ends)
            os.replace(growing / "images", self.file)
        except OSError as error:
            raise ValueError(
                f"the images cannot be unpacked to {store} ({error.strerror or error}): make room there, or set "
                "XDG_CACHE_HOME to a folder on a larger disk"
            ) from error
        finally:
            shutil.rmtree(growing, ignore_errors=True)

"""A file of vectors, any of which may be missing: one tap of a teacher cache."""

import errno
import os
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Words = NDArray[np.uint32]


class Table:
    """(count, width) float32 in a file, with a checksum after each row.

    The file has holes where no row was written, so it takes disk space only for the rows that exist.
    """

    def __init__(self, path: Path, count: int, width: int):
        self.path, self.width = path, width
        self._row_bytes = 4 * (width + 1)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        weakref.finalize(self, os.close, self._file)
        size = os.fstat(self._file).st_size
        if size not in (0, count * self._row_bytes):
            raise ValueError(
                f"{path} has {size:,} bytes, not the {count * self._row_bytes:,} of this teacher's outputs; remove "
                f"{path.parent}"
            )
        os.ftruncate(self._file, count * self._row_bytes)
        self._factors = np.random.PCG64(0).random_raw(width + 1)  # no two alike

    def read(self, rows: Numbers) -> tuple[Words, NDArray[np.bool_]]:
        """(M,) -> (M, width) bits of float32, and (M,) bool, True for rows that exist."""
        pieces = [
            # A file that was cut off meanwhile reads as zeros, which are not a valid row.
            os.pread(self._file, size, offset).ljust(size, b"\0")
            for offset, size in self._pieces(rows)
        ]
        words: Words = np.frombuffer(bytearray().join(pieces), np.uint32).reshape(len(rows), self.width + 1)
        return words[:, :-1], words[:, -1] == self._checksums(rows, words[:, :-1])

    def write(self, rows: Numbers, values: Words) -> None:
        """Write (M,) rows with their (M, width) bits.

        Raises:
            OSError: If the disk is full.
        """
        order = np.argsort(rows)
        rows, values = rows[order], values[order]
        words = np.concatenate([values, self._checksums(rows, values)[:, None]], axis=1)
        content, done = memoryview(words.tobytes()), 0
        for offset, size in self._pieces(rows):
            if os.pwrite(self._file, content[done : done + size], offset) < size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            done += size

    def _pieces(self, rows: Numbers) -> Iterator[tuple[int, int]]:
        """Yield the position and length in bytes of (M,) rows in the file; consecutive rows are one piece."""
        starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
        counts = np.diff(starts, append=len(rows))
        return zip((rows[starts] * self._row_bytes).tolist(), (counts * self._row_bytes).tolist(), strict=True)

    def _checksums(self, rows: Numbers, values: Words) -> Words:
        """Return (M,) checksums of row numbers and values; they are odd, so that a hole is not a valid row."""
        sums = values.astype(np.uint64) @ self._factors[1:] + (rows.astype(np.uint64) + 1) * self._factors[0]
        checksums: Words = (sums >> np.uint64(32)).astype(np.uint32) | np.uint32(1)
        return checksums

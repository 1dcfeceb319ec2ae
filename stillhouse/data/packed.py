"""The places of many images in one array, so that worker processes share them.

A list of a million paths is a million objects. A worker that reads one counts a reference to it, and so copies the page
of memory that it lies in: after an epoch each worker has a list of its own. Bytes in a tensor are only read.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import overload

import torch

from .decode import Encoded, FilePart, Source

_PATH, _PART, _ENCODED = 0, 1, 2  # kinds of rows
_ROW = struct.Struct("<BIqq")  # kind, position of the file among `_files`, offset and size in bytes; then the name


class Packed(Sequence[Source]):
    """Sources of images, made anew from their bytes whenever one is asked for."""

    def __init__(self, sources: Iterable[Source]):
        files: dict[Path, int] = {}
        rows = bytearray()
        ends = [0]
        for source in sources:
            for piece in _row(source, files):
                rows += piece
            ends.append(len(rows))
        self._files = tuple(files)  # that hold several images; few, however many images there are
        self._rows = torch.frombuffer(rows or bytearray(1), dtype=torch.uint8)
        self._ends = torch.tensor(ends, dtype=torch.int64)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> Source: ...

    @overload
    def __getitem__(self, index: slice) -> Packed: ...

    def __getitem__(self, index: int | slice) -> Source | Packed:
        if isinstance(index, slice):
            return Packed(self[i] for i in range(len(self))[index])
        at = range(len(self))[index]  # which raises IndexError, as a tuple does
        start, end = self._ends[at : at + 2].tolist()
        row = self._rows[start:end].numpy().tobytes()
        kind, file, offset, size = _ROW.unpack_from(row)
        name = row[_ROW.size :]
        if kind == _PATH:
            return Path(os.fsdecode(name))
        if kind == _PART:
            return FilePart(self._files[file], offset, size, os.fsdecode(name))
        return Encoded(name[:size], os.fsdecode(name[size:]))

    def __iter__(self) -> Iterator[Source]:
        return (self[i] for i in range(len(self)))


def _row(source: Source, files: dict[Path, int]) -> tuple[bytes, ...]:
    if isinstance(source, Path):
        return _ROW.pack(_PATH, 0, 0, 0), os.fsencode(source)
    if isinstance(source, FilePart):
        file = files.setdefault(source.path, len(files))
        return _ROW.pack(_PART, file, source.offset, source.size), os.fsencode(source.name)
    return _ROW.pack(_ENCODED, 0, 0, len(source.content)), source.content, os.fsencode(source.name)

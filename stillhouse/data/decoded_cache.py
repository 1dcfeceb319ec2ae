"""Decoded images of data sets with many small ones, kept on disk so that the next run begins seconds earlier."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from .arrays import Arrays

MANY = 10_000  # images; fewer are decoded in a second
BUDGET = 4e9  # bytes on disk for all data sets together; what was not read for longest makes room
ABANDONED = 3600.0  # seconds, after which what nobody finished writing is removed
FORMAT = 2  # of the files; to be raised when decoding comes to mean something else
_GROWING = ".growing-"
_OURS = re.compile(r"[0-9a-f]{12}-[0-9a-f]{16}|\.growing-.+")
_UNFIT = (OSError, ValueError, KeyError, TypeError)  # what a folder that is not there, or damaged, can raise

Other = TypeVar("Other")


def keep(shelf: Path, question: str, files: Sequence[Path], read: Callable[[], Arrays | Other]) -> Arrays | Other:
    """Return what `read` makes of the files, or what it made of them last time, if none has changed since.

    What is damaged, or cannot be written, is no reason to stop: then the files are read.

    Args:
        shelf: Folder for the decoded images of all data sets.
        question: All that they depend on beside the files; former answers to it are removed.
    """
    asked, stamp = hashlib.blake2b(os.fsencode(question), digest_size=6).hexdigest(), _stamp(files)
    folder = shelf / f"{asked}-{stamp}"
    try:
        return _open(folder)
    except _UNFIT:
        arrays = read()
    if not isinstance(arrays, Arrays) or len(arrays.train_labels) + len(arrays.test_labels) < MANY:
        return arrays
    if stamp and stamp == _stamp(files):  # they did not change meanwhile
        with suppress(OSError):  # no room, no permission
            _write(folder, arrays)
            _tidy(shelf, folder)
    return arrays


def _stamp(files: Sequence[Path]) -> str:
    """Return a digest of the files' names, sizes and times; empty if one cannot be looked at."""
    digest = hashlib.blake2b(str(FORMAT).encode(), digest_size=8)
    try:
        for path in files:
            about = path.stat()
            when = f"{about.st_size} {about.st_ino} {about.st_mtime_ns} {about.st_ctime_ns}"
            digest.update(os.fsencode(path) + f"\0{when}\n".encode())
    except OSError:
        return ""
    return digest.hexdigest()


def _write(folder: Path, arrays: Arrays) -> None:
    """Write all of it, or nothing."""
    values = {f.name: getattr(arrays, f.name) for f in dataclasses.fields(arrays)}
    tensors = {name: value for name, value in values.items() if isinstance(value, torch.Tensor)}
    if sum(tensor.nbytes for tensor in tensors.values()) > BUDGET:
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    growing = Path(tempfile.mkdtemp(prefix=_GROWING, dir=folder.parent))
    try:
        words = {name: value for name, value in values.items() if name not in tensors}
        sums = {"words": _sum_of_words([words, sorted(tensors)])}
        for name, tensor in tensors.items():
            np.save(file := growing / f"{name}.npy", tensor.contiguous().numpy())
            sums[name] = _sum_of_file(file)
        (growing / "about.json").write_text(json.dumps({"words": words, "sums": sums}))
        growing.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)  # damaged, or it would have been taken
        os.replace(growing, folder)
    finally:
        shutil.rmtree(growing, ignore_errors=True)


def _tidy(shelf: Path, latest: Path) -> None:
    """Remove former answers to the same question, the oldest beyond the budget, and what nobody finished.

    Other files and folders there are not ours, and stay.
    """
    ours = [path for path in shelf.iterdir() if _OURS.fullmatch(path.name) and path.is_dir() and path != latest]
    others = [(path.stat().st_mtime, path) for path in ours]
    taken = _size(latest)
    for read_last, folder in sorted(others, reverse=True):
        taken += _size(folder)
        if folder.name.startswith(_GROWING):  # it is being written
            is_needless = time.time() - read_last > ABANDONED
        else:
            is_needless = taken > BUDGET or folder.name.partition("-")[0] == latest.name.partition("-")[0]
        if is_needless:
            shutil.rmtree(folder)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _open(folder: Path) -> Arrays:
    """Map the images, so that processes share the memory."""
    about = json.loads((folder / "about.json").read_text())
    tensors = sorted(set(about["sums"]) - {"words"})
    if _sum_of_words([about["words"], tensors]) != about["sums"]["words"]:
        raise ValueError(f"{folder / 'about.json'} is damaged")
    found: dict[str, Any] = {name: _tuple(value) for name, value in about["words"].items()}
    for name in tensors:
        file = folder / f"{name}.npy"
        if _sum_of_file(file) != about["sums"][name]:  # before NumPy reads its header
            raise ValueError(f"{file} is damaged")
        found[name] = torch.from_numpy(np.load(file, mmap_mode="c"))
    with suppress(OSError):
        os.utime(folder)  # when it was read last
    return Arrays(**found)


def _sum_of_file(path: Path) -> int:
    return zlib.crc32(np.memmap(path, mode="r").data)


def _sum_of_words(words: object) -> int:
    return zlib.crc32(json.dumps(words).encode())


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value

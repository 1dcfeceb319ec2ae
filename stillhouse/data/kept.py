"""Many small images are decoded once: what came out is kept, so that the next run begins seconds earlier."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from .arrays import Arrays

MANY = 10_000  # images; fewer are decoded in a second
FORMAT = 1  # of the files; to be raised when decoding comes to mean something else
_TENSORS = ("train_images", "train_labels", "test_images", "test_labels")
_UNFIT = (OSError, ValueError, KeyError, TypeError, EOFError)  # what reading a damaged folder can raise

Other = TypeVar("Other")


def keep(shelf: Path, question: str, files: Sequence[Path], read: Callable[[], Arrays | Other]) -> Arrays | Other:
    """What `read` makes of the files, or what it made of them when it was last asked, if none has changed since.

    A folder that is damaged, or cannot be written, is no reason to stop: then the files are read.

    Args:
        shelf: The folder for what was decoded of all data sets.
        question: What the answer depends on beside the files; its former answers are removed.
    """
    asked = hashlib.blake2b(question.encode(), digest_size=6).hexdigest()
    folder = shelf / f"{asked}-{_stamp(files)}"
    try:
        return _open(folder)
    except _UNFIT:
        arrays = read()
    if isinstance(arrays, Arrays) and len(arrays.train_labels) + len(arrays.test_labels) >= MANY:
        try:
            _write(folder, arrays)
            for former in shelf.glob(f"{asked}-*"):
                if former != folder:
                    shutil.rmtree(former)
        except OSError:  # no room, no permission
            pass
    return arrays


def _stamp(files: Sequence[Path]) -> str:
    """Of names, sizes and times of change"""
    digest = hashlib.blake2b(str(FORMAT).encode(), digest_size=8)
    for path in files:
        about = path.stat()
        digest.update(f"{path}\0{about.st_size}\0{about.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _write(folder: Path, arrays: Arrays) -> None:
    """All of it, or nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    growing = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        words = {f.name: getattr(arrays, f.name) for f in dataclasses.fields(arrays) if f.name not in _TENSORS}
        sums = {}
        for name in _TENSORS:
            array = getattr(arrays, name).contiguous().numpy()
            np.save(growing / f"{name}.npy", array)
            sums[name] = zlib.crc32(array.data)
        (growing / "about.json").write_text(json.dumps({"words": words, "sums": sums}))
        shutil.rmtree(folder, ignore_errors=True)  # damaged, or it would have been taken
        os.replace(growing, folder)
    finally:
        shutil.rmtree(growing, ignore_errors=True)


def _open(folder: Path) -> Arrays:
    """Mapped, so that processes share the memory"""
    about = json.loads((folder / "about.json").read_text())
    found: dict[str, Any] = {name: _tuple(value) for name, value in about["words"].items()}
    for name in _TENSORS:
        array = np.load(folder / f"{name}.npy", mmap_mode="c")
        if zlib.crc32(array.data) != about["sums"][name]:
            raise ValueError(f"{folder / name}.npy is damaged")
        found[name] = torch.from_numpy(array)
    return Arrays(**found)


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value

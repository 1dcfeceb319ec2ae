"""Read the tensors in a file: PyTorch (zip and legacy formats) or safetensors. No code in the file is run."""

from __future__ import annotations

import argparse
import pathlib
import pickle
import re
import struct
import sys
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import scalar
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .kinds import no_weights
from .pickles import TooMuch, look_into

MAX_DEPTH = 8  # of dictionaries inside dictionaries
_MAX_KINDS = 200  # of objects other than tensors, in one file
_SHOWN = 6  # names in a sentence

UNREADABLE = (  # raised by PyTorch for files that are cut off or not checkpoints
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    OSError,
    KeyError,
    ValueError,
    AttributeError,
    TypeError,
    IndexError,
    AssertionError,
    RecursionError,
    OverflowError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
)


class _Inert:
    """Stand-in for an object whose class is not loaded: it accepts any content and ignores it."""

    def __new__(cls, *_: object, **__: object) -> _Inert:
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


def _plain_dict(*_: object) -> OrderedDict[object, object]:
    """Return a plain dictionary in place of a defaultdict."""
    return OrderedDict()


# Harmless objects in training checkpoints besides tensors: NumPy numbers, command-line options, paths.
_HARMLESS: list[Any] = [
    argparse.Namespace,
    np.dtype,
    *(type(np.dtype(name)) for name in ("float64", "float32", "int64", "bool")),
    scalar,
    (scalar, "numpy.core.multiarray.scalar"),  # its name before NumPy 2
    *(
        (pathlib.PurePosixPath, f"{module}.{name}")
        for module in ("pathlib", "pathlib._local")
        for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
    ),
    (_plain_dict, "collections.defaultdict"),
    *(
        (_Inert, name)
        for name in (
            "datetime.date",
            "datetime.datetime",
            "datetime.timedelta",
            "functools.partial",
            "types.SimpleNamespace",
            *(f"builtins.{kind.__name__}" for kind in (bool, dict, float, frozenset, int, list, set, str, tuple)),
        )
    ),
]


def read_weights(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """Return the state dict in a file: bare, or under a key such as "model" or "state_dict", with or without "module.".

    Args:
        key: Selects one of several state dicts; by default the network's own weights, not their average.

    Raises:
        ValueError: If the file is missing, cut off or not a checkpoint, or if reading it would run code.
    """
    from .state_dicts import by_itself

    return by_itself(path, read_tensors(path), key)


def read_tensors(path: Path) -> dict[tuple[str, ...], Tensor]:
    """Return every tensor in a file by its path of keys, in the file's order.

    Raises:
        ValueError: As in `read_weights`.
    """
    kind = no_weights(path)
    if kind:
        raise ValueError(f"{path} {kind}")
    content = _read_safetensors(path) if _is_safetensors(path) else _read_torch(path)
    if isinstance(content, _Inert):
        raise ValueError(f"{path} {_PICKLED}")
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a state dict; save model.state_dict()")
    tensors = _flat(content)
    if not tensors:
        keys = ", ".join(map(str, list(content)[:_SHOWN])) or "nothing"
        pickled = any(isinstance(value, _Inert) for value in content.values())
        raise ValueError(f"{path} {_PICKLED}" if pickled else f"{path} holds {keys}, but no weights")
    if {"state", "param_groups"} == content.keys():
        raise ValueError(f"{path} holds the state of an optimiser, but no weights; give the file with the network's")
    return tensors


_PICKLED = (
    "holds a whole pickled network, not its weights alone, and reading it could run code. If you trust it, load it "
    "yourself once with torch.load(..., weights_only=False) and save model.state_dict()"
)


def _flat(content: dict[Any, Any]) -> dict[tuple[str, ...], Tensor]:
    """Flatten nested dictionaries; one that contains itself is visited once."""
    found: dict[tuple[str, ...], Tensor] = {}
    waiting: list[tuple[tuple[str, ...], dict[Any, Any]]] = [((), content)]
    seen: set[int] = set()
    while waiting:
        keys, inside = waiting.pop(0)
        if id(inside) in seen or len(keys) > MAX_DEPTH:
            continue
        seen.add(id(inside))
        for key, value in inside.items():
            if isinstance(value, Tensor):
                found[(*keys, str(key))] = value
            elif isinstance(value, dict):
                waiting.append(((*keys, str(key)), value))
    return found


def _is_safetensors(path: Path) -> bool:
    """Decide by the first bytes, because suffixes can be wrong: the length of the header, then the header."""
    with path.open("rb") as file:
        start = file.read(9)
    return path.suffix == ".safetensors" or (len(start) == 9 and start[8:] == b"{" and start[5:8] == b"\0\0\0")


def _read_safetensors(path: Path) -> object:
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is not a mapping)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is not a complete safetensors file ({error}); get it again") from error


def _read_torch(path: Path) -> object:
    """Read a file of `torch.save`; objects of other people's classes become `_Inert`."""
    try:
        look_into(path)
    except TooMuch as error:
        raise ValueError(f"{path} was not read: {error}; download it again from a source you trust") from error
    except UNREADABLE as error:
        raise _cut_off(path, error) from error
    harmless = [*_HARMLESS, *((_Inert, name) for name in _unknown_names(path) if not _may_run(name))]
    while True:
        try:
            with torch.serialization.safe_globals(harmless), warnings.catch_warnings(action="ignore"):
                return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            unknown = re.search(r"GLOBAL (\S+) was not an allowed global", str(error))
            if unknown is None or _may_run(unknown[1]) or len(harmless) > _MAX_KINDS:
                beside = f" ({unknown[1]})" if unknown else ""
                raise ValueError(
                    f"{path} was not read: it is damaged, or holds more than weights{beside} and reading it could run "
                    f"code. If you trust it, load it yourself once and save model.state_dict() with torch.save"
                ) from error
            harmless.append((_Inert, unknown[1]))
        except UNREADABLE as error:
            raise _cut_off(path, error) from error


def _cut_off(path: Path, error: BaseException) -> ValueError:
    why = ": ".join(dict.fromkeys([type(error).__name__, first_line(error)]))
    return ValueError(f"{path} is cut off or is not a PyTorch checkpoint ({why}); get it again")


def _unknown_names(path: Path) -> list[str]:
    """List classes and functions in a file that are not loaded by default; empty for PyTorch's oldest format."""
    try:
        with torch.serialization.safe_globals(_HARMLESS):  # of two for one name PyTorch takes either
            names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except UNREADABLE:
        return []
    return names[:_MAX_KINDS]


def _may_run(name: str) -> bool:
    """Return True for names of Python's standard library: no checkpoint needs them, and files with them are refused."""
    return "." not in name or name.partition(".")[0] in sys.stdlib_module_names


def first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]

"""Weights in and out of files: every public format is read, none of them may run code."""

import argparse
import hashlib
import io
import json
import os
import pickle
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import scalar
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

_WRAPPERS = ("model", "state_dict", "model_state_dict", "net", "student")  # {"model": weights}, {"state_dict": ...}
_PREFIXES = ("module.", "_orig_mod.")  # DataParallel and DistributedDataParallel; torch.compile
_UNREADABLE = (  # what PyTorch raises for files that are cut off or something else
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    OSError,
    KeyError,
    ValueError,
    AttributeError,
    TypeError,
    IndexError,
    struct.error,
    zipfile.BadZipFile,
)
# What harmless training checkpoints hold beside tensors: NumPy numbers and command-line options.
_HARMLESS: list[Any] = [
    argparse.Namespace,
    np.dtype,
    *(type(np.dtype(name)) for name in ("float64", "float32", "int64")),
    scalar,
    (scalar, "numpy.core.multiarray.scalar"),  # its name before NumPy 2
]


def write_atomically(path: Path, content: bytes) -> None:
    """Either the whole file is there under its name, or what was there before."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)  # a full disk does not say where it is
        raise


def save_weights(model: nn.Module, path: Path, about: Mapping[str, object]) -> None:
    """A safetensors file with the state dict; `about` says in its header what the network is."""
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    shared = _unshared(weights)
    write_atomically(path, to_safetensors(shared, {"stillhouse": json.dumps(about)}))


def _unshared(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tied weights are stored once each, for safetensors refuses memory that two names share."""
    seen: set[int] = set()
    result = {}
    for name, value in weights.items():
        result[name] = value.clone() if value.untyped_storage().data_ptr() in seen else value
        seen.add(value.untyped_storage().data_ptr())
    return result


def about_weights(path: Path) -> dict[str, object]:
    """What `save_weights` wrote into the header; empty for files of other origin."""
    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {}).get("stillhouse", "{}"))
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a complete safetensors file ({error}); get it again") from error
    return about if isinstance(about, dict) else {}


def is_complete(path: Path) -> bool:
    """Whether it is a whole safetensors file; what the weights are is not looked at."""
    try:
        with safe_open(path, "pt"):
            return True
    except (SafetensorError, OSError):
        return False


def read_weights(path: Path) -> dict[str, Tensor]:
    """The state dict in a file: bare, or under a key such as "model" or "state_dict", with or without "module.".

    Raises:
        ValueError: If the file is missing, cut off, no checkpoint, or would have to run code to be read.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}; check the path of the weights")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    while isinstance(content, dict) and not _is_state_dict(content):
        inner = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), dict)), None)
        if inner is None:
            keys = ", ".join(map(str, list(content)[:8])) or "nothing"
            raise ValueError(f"{path} holds {keys}, but no weights under any of {', '.join(_WRAPPERS)}")
        content = inner
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a state dict; save model.state_dict()")
    while prefix := next((p for p in _PREFIXES if all(name.startswith(p) for name in content)), None):
        content = {name.removeprefix(prefix): value for name, value in content.items()}
    return content


def _is_state_dict(content: Mapping[object, object]) -> bool:
    return bool(content) and all(isinstance(v, Tensor) and isinstance(k, str) for k, v in content.items())


def _read_safetensors(path: Path) -> object:
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is not a mapping)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is not a complete safetensors file ({error}); get it again") from error


def _read_torch(path: Path) -> object:
    try:
        with torch.serialization.safe_globals(_HARMLESS), warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} was not read: it is damaged, or holds more than weights and reading it could run code. "
            f"Where you trust it, load it yourself once and save model.state_dict() with torch.save or safetensors"
        ) from error
    except _UNREADABLE as error:
        why = f"{type(error).__name__}: {_first_line(error)}"
        raise ValueError(f"{path} is cut off or no PyTorch checkpoint ({why}); get it again") from error


def load_weights(model: nn.Module, path: Path) -> None:
    """Fill a network from a file; every name and shape has to fit.

    Raises:
        ValueError: If they do not; the sentence names the first differences.
    """
    weights, own = read_weights(path), model.state_dict()
    counters = {name for name in own if name.endswith("num_batches_tracked")}  # some formats leave them out
    missing = [name for name in own if name not in weights and name not in counters]
    unexpected = [name for name in weights if name not in own]
    reshaped = [
        f"{name} is {tuple(weights[name].shape)} there and {tuple(own[name].shape)} here"
        for name in own
        if name in weights and weights[name].shape != own[name].shape
    ]
    network = type(model).__name__
    if missing or unexpected:
        differences = [f"missing {', '.join(missing[:3])}"] if missing else []
        differences += [f"unexpected {', '.join(unexpected[:3])}"] if unexpected else []
        raise ValueError(
            f"{path} does not fit {network}: {'; '.join(differences)} ({len(missing)} missing, {len(unexpected)} "
            f"unexpected of {len(own)}); is it the same network?"
        )
    if reshaped:
        raise ValueError(
            f"{path} does not fit {network}: {'; '.join(reshaped[:3])}; give weights that were trained for this number "
            f"of classes, at this --image_size"
        )
    model.load_state_dict(weights, strict=False)


def save_state(path: Path, state: Mapping[str, object]) -> None:
    """Tensors and plain types, to be read by `load_state`."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    write_atomically(path, buffer.getvalue())


def load_state(path: Path) -> dict[str, object]:
    """What `save_state` wrote.

    Raises:
        ValueError: If the file is damaged, or would have to run code to be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:  # PyTorch writes checksums and does not look at them
                raise zipfile.BadZipFile("a checksum is wrong")
        with warnings.catch_warnings(action="ignore"):
            state = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {_first_line(error)}); move {path.parent} away to begin anew"
        ) from error
    if not isinstance(state, dict):
        raise ValueError(f"{path} holds a {type(state).__name__}; move {path.parent} away to begin anew")
    return state


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def fingerprint(model: nn.Module) -> str:
    """A hash of every parameter and buffer, bit by bit."""
    digest = hashlib.blake2b(digest_size=16)
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()

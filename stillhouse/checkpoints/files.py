"""Files that stillhouse writes: weights with a header, and the state of a run. Each is written whole or not at all."""

import hashlib
import io
import json
import os
import tempfile
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from .formats import UNREADABLE, first_line
from .load import check_state
from .pickles import look_into


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file atomically: its name always refers to the complete new content or to the old content."""
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
            error.filename = str(path)  # the error of a full disk does not name the file
        raise


def save_weights(model: nn.Module, path: Path, about: Mapping[str, object]) -> None:
    """Write the state dict to a safetensors file whose header, `about`, describes the network.

    Raises:
        ValueError: If the network keeps a state that is not a tensor.
    """
    weights = {name: value.detach().cpu().contiguous() for name, value in check_state(model).items()}
    shared = _unshared(weights)
    write_atomically(path, to_safetensors(shared, {"stillhouse": json.dumps(about)}))


def _unshared(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy tied weights, because safetensors refuses memory that two names share."""
    seen: set[int] = set()
    result = {}
    for name, value in weights.items():
        result[name] = value.clone() if value.untyped_storage().data_ptr() in seen else value
        seen.add(value.untyped_storage().data_ptr())
    return result


def about_weights(path: Path) -> dict[str, object]:
    """Return the header that `save_weights` wrote; empty for other files."""
    if not path.is_file() or path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {}).get("stillhouse", "{}"))
    except (SafetensorError, OSError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not a complete safetensors file ({error}); get it again") from error
    return about if isinstance(about, dict) else {}


def save_state(path: Path, state: Mapping[str, object]) -> None:
    """Write tensors and plain types for `load_state`."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    write_atomically(path, buffer.getvalue())


def load_state(path: Path) -> dict[str, object]:
    """Read a file that `save_state` wrote.

    Raises:
        ValueError: If the file is damaged, or reading it would run code.
    """
    try:
        if not (path.is_file() and path.stat().st_size):
            raise ValueError("it is no file, or empty")
        look_into(path)
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:  # PyTorch writes checksums but does not check them
                raise zipfile.BadZipFile("a checksum is wrong")
        with warnings.catch_warnings(action="ignore"):
            state = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {first_line(error)}); move {path.parent} away to start again"
        ) from error
    if not isinstance(state, dict):
        raise ValueError(f"{path} holds a {type(state).__name__}; move {path.parent} away to start again")
    return state


def fingerprint(model: nn.Module) -> str:
    """Return a hash of the bits of every parameter and buffer."""
    digest = hashlib.blake2b(digest_size=16)
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()

"""Exported files: kinds, and reading one with the program that it is made for."""

from __future__ import annotations

import json
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..ranges import ExportKind
from ..spelling import nearest_path
from .preprocessing import Preprocessing
from .student import classes_of

Kind = ExportKind
SUFFIXES: dict[Kind, str] = {"onnx": ".onnx", "int8": ".onnx", "pt2": ".pt2", "torchscript": ".torchscript"}
KEY = "stillhouse"  # of the metadata
PIXELS, NORMALISED = "pixels", "normalised"
PROBABILITIES, LOGITS = "probabilities", "logits"
_NEEDED = ("onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True)
class Exported:
    """An exported file, opened.

    Args:
        path: Its place.
        about: Its metadata.
        classes: In the order of its outputs.
        steps: How its images are made.
        run: Takes its input and returns its output.
    """

    path: Path
    about: Mapping[str, Any]
    classes: tuple[str, ...]
    steps: Preprocessing
    run: Callable[[Tensor], Tensor]

    def outputs(self, pixels: Tensor) -> Tensor:
        """Return what it makes of pixels: (N, 3, S, S) uint8 -> (N, C) float32."""
        takes_pixels = self.about["input"] == PIXELS
        return self.run(pixels.permute(0, 2, 3, 1).contiguous() if takes_pixels else self.steps.normalise(pixels))

    def probabilities(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) uint8 -> (N, C) float32"""
        outputs = self.outputs(pixels)
        return outputs if self.about["output"] == PROBABILITIES else outputs.softmax(1)


def is_exported(name: str) -> bool:
    """Return True for the name of an exported file."""
    return Path(name).suffix.lower() in SUFFIXES.values()


def check_installed(kind: Kind) -> None:
    """Refuse to write or read a file whose libraries are missing.

    Raises:
        ValueError: If the extra is not installed.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None] if SUFFIXES[kind] == ".onnx" else []
    if missing:
        raise ValueError(f"ONNX files need {', '.join(missing)}: pip install 'stillhouse[export]'")


def open_exported(path: Path, trust: bool = False) -> Exported:
    """Open a file that `stillhouse export` wrote.

    Args:
        trust: Open files of PyTorch, which can hold code.

    Raises:
        ValueError: If it is none, or is damaged, or can hold code and is not trusted.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}{nearest_path(str(path))}; check the path")
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        check_installed("onnx")
        text, run = _of_onnx(path)
    elif not trust:
        raise ValueError(f"opening {path} can run code that is in it; if you trust it, add --trust true")
    else:
        text, run = _of_program(path) if suffix == ".pt2" else _of_torchscript(path)
    about = _metadata(path, text)
    steps = Preprocessing.checked(str(path), about["preprocessing"])
    return Exported(path, about, classes_of(about, str(path)), steps, run)


def _metadata(path: Path, text: str | None) -> dict[str, Any]:
    if text is None:
        raise ValueError(f"{path} does not say its classes and preprocessing; give a file that stillhouse export wrote")
    try:
        about = json.loads(text)
        whole = about["input"] in (PIXELS, NORMALISED) and about["output"] in (PROBABILITIES, LOGITS)
        whole = whole and isinstance(about["preprocessing"], dict)
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise ValueError(f"{path} is damaged (its metadata cannot be read); export it again")
    return dict(about)


def _of_onnx(path: Path) -> tuple[str | None, Callable[[Tensor], Tensor]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of a module that is compiled
        raise ValueError(f"{path} cannot be opened by ONNX Runtime ({first_line(error)}); export it again") from error
    name = session.get_inputs()[0].name

    def run(images: Tensor) -> Tensor:
        try:
            return torch.from_numpy(session.run(None, {name: images.cpu().numpy()})[0])
        except Exception as error:
            raise ValueError(f"{path} cannot be run on {len(images)} images ({first_line(error)})") from error

    return session.get_modelmeta().custom_metadata_map.get(KEY), run


def _of_program(path: Path) -> tuple[str | None, Callable[[Tensor], Tensor]]:
    extra: dict[str, Any] = {f"{KEY}.json": ""}
    try:
        model = torch.export.load(path, extra_files=extra).module()
    except Exception as error:
        raise ValueError(f"{path} cannot be opened by PyTorch ({first_line(error)}); export it again") from error
    return _text(extra), _guarded(path, model)


def _of_torchscript(path: Path) -> tuple[str | None, Callable[[Tensor], Tensor]]:
    extra: dict[str, Any] = {f"{KEY}.json": ""}
    try:
        with warnings.catch_warnings(action="ignore"):
            zipfile.ZipFile(path).close()
            model = torch.jit.load(str(path), "cpu", _extra_files=extra)  # type: ignore[no-untyped-call] # in PyTorch
    except Exception as error:
        raise ValueError(f"{path} cannot be opened by PyTorch ({first_line(error)}); export it again") from error
    return _text(extra), _guarded(path, model)


def _text(extra: Mapping[str, Any]) -> str | None:
    content = extra[f"{KEY}.json"]
    return content.decode(errors="replace") if isinstance(content, bytes) else str(content) or None


def _guarded(path: Path, model: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    @torch.no_grad()
    def run(images: Tensor) -> Tensor:
        try:
            return model(images)
        except Exception as error:
            raise ValueError(f"{path} cannot be run on {len(images)} images ({first_line(error)})") from error

    return run


def first_line(error: Exception) -> str:
    """Return what an error of somebody else's library says, in one line."""
    text = str(error).strip() or type(error).__name__
    return re.sub(r"\s+", " ", text.splitlines()[0]).strip()[:300]

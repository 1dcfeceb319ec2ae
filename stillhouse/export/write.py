"""Writes a student as a file that other programs run: ONNX, PyTorch's exported program, TorchScript."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..checkpoints import write_atomically
from .files import KEY, LOGITS, NORMALISED, PIXELS, PROBABILITIES, Kind, first_line
from .student import Student

if TYPE_CHECKING:
    import onnx

_LARGEST = 2_000_000_000  # bytes of a file of ONNX
_LIBRARIES = ("stillhouse", "torch", "onnx", "onnxscript", "onnxruntime")


class Shipped(nn.Module):
    """A student as it is exported: (N, 3, S, S) float32, normalised -> logits.

    Args:
        with_preprocessing: Take pixels instead, (N, S, S, 3) uint8 in RGB, and return probabilities.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, student: Student, with_preprocessing: bool):
        super().__init__()
        self.model = student.model
        self.with_preprocessing, self.has_softmax = with_preprocessing, student.returns_probabilities
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(getattr(student.steps, name)).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        if not self.with_preprocessing:
            logits: Tensor = self.model(images)
            return logits
        outputs: Tensor = self.model(images.permute(0, 3, 1, 2).float().div(255).sub(self.mean).div(self.std))
        return outputs if self.has_softmax else outputs.softmax(1)

    def example(self, size: int, count: int = 2) -> Tensor:
        """Return an input of so many images; two, because one would be taken for a constant."""
        shape = (count, size, size, 3) if self.with_preprocessing else (count, 3, size, size)
        pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        return pixels if self.with_preprocessing else pixels.float().div(128).sub(1)


def metadata(student: Student, kind: Kind, with_preprocessing: bool) -> dict[str, Any]:
    """Return what an exported file says about itself."""
    is_probability = with_preprocessing or student.returns_probabilities
    return {
        "kind": kind,
        "network": student.name,
        "classes": list(student.classes),
        "preprocessing": student.steps.to_dict(),
        "input": PIXELS if with_preprocessing else NORMALISED,
        "input_layout": "(N, H, W, 3) uint8, RGB" if with_preprocessing else "(N, 3, H, W) float32, RGB, normalised",
        "output": PROBABILITIES if is_probability else LOGITS,
        "weights_hash": student.weights_hash,
        "run": student.folder.resolve().name if student.folder else None,
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def to_onnx(student: Student, with_preprocessing: bool) -> onnx.ModelProto:
    """Return the student as an ONNX model that takes any number of images.

    Raises:
        ValueError: If PyTorch cannot export it.
    """
    shipped = Shipped(student, with_preprocessing).eval()
    is_probability = with_preprocessing or student.returns_probabilities
    try:
        with warnings.catch_warnings(action="ignore"):
            program = torch.onnx.export(
                shipped,
                (shipped.example(student.steps.size),),
                dynamo=True,
                dynamic_shapes=_any_batch(),
                input_names=["images"],
                output_names=[PROBABILITIES if is_probability else LOGITS],
                verbose=False,
            )
    except Exception as error:  # the exporter raises anything
        raise _impossible(student, "ONNX", error) from error
    assert program is not None
    proto: onnx.ModelProto = program.model_proto
    if proto.ByteSize() > _LARGEST:
        raise ValueError(f"{student.name} is too large for a file of ONNX, which holds 2 GB")
    return proto


def save_onnx(proto: onnx.ModelProto, about: Mapping[str, Any], path: Path) -> None:
    """Write an ONNX model with metadata."""
    import onnx

    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, {KEY: json.dumps(about)})
    write_atomically(path, proto.SerializeToString())


def save_program(student: Student, with_preprocessing: bool, about: Mapping[str, Any], path: Path) -> None:
    """Write PyTorch's exported program.

    Raises:
        ValueError: If PyTorch cannot export the student.
    """
    shipped, buffer = Shipped(student, with_preprocessing).eval(), io.BytesIO()
    try:
        with warnings.catch_warnings(action="ignore"):
            program = torch.export.export(shipped, (shipped.example(student.steps.size),), dynamic_shapes=_any_batch())
            torch.export.save(program, buffer, extra_files={f"{KEY}.json": json.dumps(about)})
    except Exception as error:
        raise _impossible(student, "an exported program", error) from error
    write_atomically(path, buffer.getvalue())


def save_torchscript(student: Student, with_preprocessing: bool, about: Mapping[str, Any], path: Path) -> None:
    """Write a traced TorchScript module.

    Raises:
        ValueError: If PyTorch cannot trace the student.
    """
    shipped, buffer = Shipped(student, with_preprocessing).eval(), io.BytesIO()
    try:
        with warnings.catch_warnings(action="ignore"), torch.no_grad():
            traced = torch.jit.trace(shipped, shipped.example(student.steps.size))  # type: ignore[no-untyped-call] # in PyTorch
            torch.jit.save(traced, buffer, _extra_files={f"{KEY}.json": json.dumps(about)})
    except Exception as error:
        raise _impossible(student, "TorchScript", error) from error
    write_atomically(path, buffer.getvalue())


def _any_batch() -> tuple[dict[int, object]]:
    return ({0: torch.export.Dim("batch")},)


def _impossible(student: Student, kind: str, error: Exception) -> ValueError:
    return ValueError(f"PyTorch cannot export {student.name} to {kind} ({first_line(error)}); try another --to")

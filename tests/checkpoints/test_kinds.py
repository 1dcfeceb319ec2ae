"""Files that people take for checkpoints are named for what they are, with a way out."""

import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from stillhouse.checkpoints import load_weights
from tests.helpers.networks import QuickNet


def torchscript(path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):
        torch.jit.save(torch.jit.trace(QuickNet().eval(), torch.zeros(1, 3, 16, 16)), path)  # type: ignore[no-untyped-call]


def exported(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("program/archive_format", "pt2")
        archive.writestr("program/models/model.json", "{}")


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/net.pth", "x")


def arrays(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, weight=np.ones(3))


def pieces(path: Path) -> None:
    path.mkdir()
    (path / ".metadata").touch()


def folder(path: Path) -> None:
    path.mkdir()
    (path / "config.json").touch()
    (path / "weights.safetensors").touch()


def written(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "TorchScript": (torchscript, "is a TorchScript file, a program with its weights. .* torch.jit.load"),
    "program": (exported, r"is an exported program \(torch.export\); save the network's state_dict"),
    "zip": (zipped, "is a zip archive without a PyTorch checkpoint; unpack it"),
    "npz": (arrays, "is a NumPy archive; only PyTorch and safetensors files are read"),
    "pieces": (pieces, "is a checkpoint of torch.distributed, in pieces; join them once"),
    "folder": (folder, "is a folder; give one of its files: weights.safetensors"),
    "empty folder": (Path.mkdir, "is a folder; give a file that holds weights"),
    "empty": (Path.touch, "is empty; get it again"),
    "pipe": (os.mkfifo, "is not a regular file"),
    "web page": (written(b"\n<!doctype html><p>404"), "is a web page, not a checkpoint: the download failed"),
    "pointer": (written(b"version https://git-lfs.github.com/spec/v1\noid 1"), "is a Git LFS pointer.*git lfs pull"),
    "Keras": (written(b"\x89HDF\r\n\x1a\n"), "is an HDF5 file"),
    "npy": (written(b"\x93NUMPY\x01"), "is a NumPy array"),
    "gguf": (written(b"GGUF\x03"), "is a GGUF file"),
    "tflite": (written(b"\x1c\0\0\0TFL3"), "is a TensorFlow Lite model"),
    "gzip": (written(b"\x1f\x8b\x08"), "is a compressed archive; unpack it"),
}


@pytest.mark.parametrize("name", KINDS)
def test_what_holds_no_weights_is_named(tmp_path: Path, name: str) -> None:
    make, sentence = KINDS[name]
    make(tmp_path / "weights.pt")
    with pytest.raises(ValueError, match=rf"weights.pt {sentence}") as caught:
        load_weights(QuickNet(), tmp_path / "weights.pt")
    assert "\n" not in str(caught.value)


def test_an_onnx_file_is_known_by_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"\x08\x07")
    with pytest.raises(ValueError, match=r"net.onnx is an ONNX file"):
        load_weights(QuickNet(), tmp_path / "net.onnx")

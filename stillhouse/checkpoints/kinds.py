"""Descriptions of files that are mistaken for checkpoints, each with a remedy."""

import re
import zipfile
from pathlib import Path

from ..spelling import nearest_path
from ..training.teachers.weights_file import MODEL, STUDENT

_SHOWN = 6  # names in a sentence
_KINDS = (  # first bytes of files that are mistaken for checkpoints
    (rb"\s*<(!doctype|html|\?xml|head)", "is a web page, not a checkpoint: the download failed; get it again"),
    (rb"version https://git-lfs", "is a Git LFS pointer, not the file itself; get it with: git lfs pull"),
    (rb"\x89HDF", "is an HDF5 file (Keras, TensorFlow); only PyTorch and safetensors files are read"),
    (rb"\x93NUMPY", "is a NumPy array; only PyTorch and safetensors files are read"),
    (rb"GGUF", "is a GGUF file; only PyTorch and safetensors files are read"),
    (rb"....TFL3", "is a TensorFlow Lite model; only PyTorch and safetensors files are read"),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf", "is a compressed archive; unpack it and give the file inside"),
)


def no_weights(path: Path) -> str | None:
    """Return a clause that says what a file without readable weights is, with a remedy; None for other files."""
    if path.is_dir():
        return _folder(path)
    if not path.exists() and path.name == STUDENT and (path.parent / MODEL).is_file():
        raise ValueError(f"there is no file {path}; the network of that run is in {MODEL} beside it")
    if not path.exists():
        raise ValueError(f"there is no file {path}{nearest_path(str(path))}; check the path of the weights")
    if not path.is_file():
        return "is not a regular file; give a file that holds weights"
    if path.stat().st_size == 0:  # reading some of the system's files blocks for ever
        return "is empty; get it again"
    with path.open("rb") as file:
        start = file.read(512)
    if not start.strip(b"\0"):
        return "begins with zeros, as unfinished downloads do; get it again"
    if start[257:262] == b"ustar":
        return "is a tar archive, not a checkpoint of PyTorch 0.4 or later; unpack it and give the file that was in it"
    if path.suffix == ".onnx":
        return "is an ONNX file; only PyTorch and safetensors files are read"
    for magic, kind in _KINDS:
        if re.match(magic, start, re.IGNORECASE | re.DOTALL):
            return kind
    return _archive(path) if zipfile.is_zipfile(path) else None


def _folder(path: Path) -> str:
    if (path / ".metadata").is_file():
        return (
            "is a checkpoint of torch.distributed, in pieces; join them once with "
            "torch.distributed.checkpoint.format_utils.dcp_to_torch_save"
        )
    files = sorted(file.name for file in path.iterdir() if file.suffix in (".safetensors", ".bin", ".pth", ".pt"))
    shown = f"one of its files: {', '.join(files[:_SHOWN])}" if files else "a file that holds weights"
    return f"is a folder; give {shown}"


def _archive(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None  # PyTorch says what is wrong with it
    inside = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inside and any(name.startswith("code/") for name in inside):
        return (
            "is a TorchScript file, a program with its weights. If you trust it, load it yourself once "
            "with torch.jit.load and save its state_dict() with torch.save"
        )
    if "archive_format" in inside or any(name.startswith("models/") and name.endswith(".json") for name in inside):
        return "is an exported program (torch.export); save the network's state_dict() instead"
    if any(name.endswith(".npy") for name in names):
        return "is a NumPy archive; only PyTorch and safetensors files are read"
    if not any(name == "data.pkl" for name in inside):
        return "is a zip archive without a PyTorch checkpoint; unpack it and give the file that was in it"
    return None

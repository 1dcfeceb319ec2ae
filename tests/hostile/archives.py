"""Bytes of files of weights: archives, pickles and headers that say of themselves what is not so."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile

import torch
from torch import nn

from tests.hostile import pickles


def zipped(**files: bytes) -> bytes:
    """Return an archive as torch.save writes it, but with these contents, deflated where that makes them small."""
    whole = {"data.pkl": tensor(), "data/0": bytes(16), "version": b"3\n", "byteorder": b"little", **files}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in whole.items():
            way = zipfile.ZIP_DEFLATED if len(content) > 1 << 20 else zipfile.ZIP_STORED
            archive.writestr(f"archive/{name}", content, way)
    return buffer.getvalue()


def tensor(*, numel: int = 4, size: tuple[int, ...] = (4,), stride: tuple[int, ...] = (1,), offset: int = 0) -> bytes:
    """Return a state dict with one tensor, pickled as PyTorch does, that says this of itself."""
    state = {"stage1.0.weight": torch.ones(4)}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    with zipfile.ZipFile(buffer) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("data.pkl"))
        whole = archive.read(name)
    for old, new in (((4,), size), ((1,), stride)):
        before, after = (pickle.dumps(one, 2)[2:-1] for one in (old, new))
        at = whole.index(before[:3])
        whole = whole[:at] + after.replace(b"q\0", b"") + whole[at + 3 :]
    at = whole.index(b"cpuq") + 3
    end = whole.index(b"t", at)
    start = whole.index(b"K", at)
    return whole[:start] + pickle.dumps(numel, 2)[2:-1] + whole[end:] if numel != 4 or offset else whole


def legacy(content: bytes) -> bytes:
    """Return the oldest format that is not a tar: a magic number, a version, the system, and the object."""
    start = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}]
    return b"".join(pickle.dumps(one, 2) for one in start) + content + pickle.dumps([], 2)


def oldest(member: str) -> bytes:
    """Return a tar as the first versions of PyTorch wrote, with a member that leads out of its folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors", member):
            info = tarfile.TarInfo(name)
            info.size = len(content := pickle.dumps(pickles.Calls(os.system, pickles.SHELL)))
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


class Scripted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(2, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(images)  # type: ignore[no-any-return]


def script() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(Scripted()), buffer)
    return buffer.getvalue()


def overlapping() -> bytes:
    """Return an archive whose 5000 members are all the same 64 MB of zeros."""
    one = zipped(**{"data/0": bytes(1 << 26)})
    at = one.index(b"PK\x01\x02")
    end = one.rindex(b"PK\x05\x06")
    member = one[one.rindex(b"PK\x01\x02") : end]
    table = one[at:end] + 5000 * member
    return one[:at] + table + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 5004, 5004, len(table), at, 0)


def huge(*names: str) -> bytes:
    """Return an archive that holds 1 GB of zeros in each of these members, packed."""
    return zipped(**dict.fromkeys(names, bytes(1 << 30)))


def header(text: str | bytes, length: int | None = None, data: bytes = bytes(64)) -> bytes:
    """Return a safetensors file with any header."""
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def entry(**changes: object) -> str:
    return json.dumps({"stage1.0.weight": {"dtype": "F32", "shape": [16], "data_offsets": [0, 64], **changes}})

"""Where teacher caches stand: whether there is one for a room, whose it is, and whether it may grow."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ..checkpoints import fingerprint, write_atomically
from ..data import Data, InMemory
from ..spelling import counted
from ..taps import Tapped
from .teacher_cache import TeacherCache

FORMAT = 1  # of the files; to be raised when views or rows come to mean something else
BUDGET = 4e9  # bytes, where nobody said anything
SHARE_OF_FREE = 0.1  # of the disk, where nobody said anything
WORTHWHILE = 0.1  # of the answers are needed a second time; below that, auto begins no cache


class CacheUnavailable(Exception):  # noqa: N818 (it is no error)
    """Why what a teacher says cannot be kept, in a clause."""


@dataclass(frozen=True)
class CacheStore:
    """Where caches stand, and how much room they may take.

    Args:
        use: "auto" keeps what the teacher says where that can be done and pays, "on" insists.
        budget: GB (10^9 bytes) for all caches on this shelf; 4, or a tenth of the free disk if that is less, when left
            out.
    """

    folder: Path
    use: Literal["auto", "on"] = "auto"
    budget: float | None = None

    def check(self, folder: Path, size: int) -> None:
        """Raises CacheUnavailable if a cache of so many bytes in this folder is too large."""
        taken = {path: path.stat().st_blocks * 512 for path in self.folder.rglob("*.rows")}
        here = sum(blocks for path, blocks in taken.items() if path.parent == folder)
        others = sum(taken.values()) - here
        free = shutil.disk_usage(next(place for place in (self.folder, *self.folder.parents) if place.exists())).free
        budget = min(BUDGET, SHARE_OF_FREE * (free + here + others)) if self.budget is None else self.budget * 1e9
        beside = f" beside the {others / 1e9:.2g} GB of others in {self.folder}" if others > 1e7 else ""
        if size + others > budget:
            raise CacheUnavailable(
                f"its answers may take {size / 1e9:.3g} GB{beside}, and {budget / 1e9:.3g} GB are allowed "
                f"(--cache_budget)"
            )
        if size - here > free:
            raise CacheUnavailable(
                f"its answers may take {size / 1e9:.3g} GB, and {free / 1e9:.3g} GB of the disk are free"
            )


@torch.no_grad()
def open_cache(shelf: CacheStore, teacher: Tapped, readers: Mapping[str, str], data: Data, epochs: int) -> TeacherCache:
    """The cache of what is read in a teacher.

    Args:
        teacher: On its device, in eval mode.
        readers: Who reads what, by the name of the tap.
        epochs: For how long it will be asked.

    Raises:
        CacheUnavailable: If there can be none, or it would not pay.
        ValueError: If there is one that is not this teacher's.
    """
    split, size = data.train, data.train.batch_size
    if not isinstance(split, InMemory) or split.num_views is None:
        raise CacheUnavailable(f"there is no end to the views of {data.name}")
    if len(split) < size:
        raise CacheUnavailable("there are fewer images than a batch takes")
    key = _key(teacher, data, split)
    digest = hashlib.blake2b(json.dumps(key, sort_keys=True).encode(), digest_size=8).hexdigest()
    folder = shelf.folder / f"{type(teacher.model).__name__}-{data.name}-{digest}"
    twice = 1 - split.num_views / epochs * (1 - (1 - 1 / split.num_views) ** epochs)
    if shelf.use == "auto" and twice < WORTHWHILE and not (folder / "header.json").is_file():
        raise CacheUnavailable(
            f"in {counted(epochs, 'epoch')} {100 * max(0.0, twice):.0f} % of its answers are needed twice"
        )
    widths = _widths(teacher, readers, split)
    shelf.check(folder, len(split) * split.num_views * sum(4 * (width + 1) for width in widths.values()))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _take(folder, key)
        return TeacherCache(folder, teacher, split, widths)
    except OSError as error:
        raise CacheUnavailable(f"{folder} cannot be written ({error.strerror})") from error


def _key(teacher: Tapped, data: Data, split: InMemory) -> dict[str, object]:
    """All that an answer depends on."""
    device = next(teacher.parameters()).device
    is_cpu = device.type == "cpu"
    return {
        "format": FORMAT,
        "weights": fingerprint(teacher.model),
        "layers": hashlib.blake2b(str(teacher.model).encode(), digest_size=16).hexdigest(),
        "data": data.fingerprint,
        "images": len(split),
        "image_size": data.info.image_size,
        "normalisation": [list(data.mean), list(data.std)],
        "padding": split.padding,
        "flip": split.flip,
        "batch_size": split.batch_size,
        "torch": torch.__version__,
        "device": torch.backends.cpu.get_cpu_capability() if is_cpu else torch.cuda.get_device_name(device),
        "threads": torch.get_num_threads() if is_cpu else None,
        "precision": torch.get_float32_matmul_precision(),
        **({"autocast": str(teacher.precision)} if teacher.precision else {}),
        "compiled": teacher._compiled_call_impl is not None and "frozen",
    }


def _take(folder: Path, key: Mapping[str, object]) -> None:
    """Says in a folder's header what is kept there, or finds that said already."""
    header = folder / "header.json"
    if not header.exists():
        write_atomically(header, json.dumps(key, indent=2).encode())
    try:
        found = dict(json.loads(header.read_text()))
    except (ValueError, TypeError):
        found = {}
    if found != key:
        differ = ", ".join(name for name in key if found.get(name) != key[name]) or "format"
        raise ValueError(f"{folder} belongs to another teacher or other data (by its {differ}); remove that folder")


def _widths(teacher: Tapped, readers: Mapping[str, str], split: InMemory) -> dict[str, int]:
    """Of the vectors to keep, by tap, if the teacher takes each image for itself."""
    split.to(next(teacher.parameters()).device)

    def says(indices: Tensor, views: Tensor) -> dict[str, Tensor]:
        outputs = teacher(split.view(indices, views))
        return {tap: outputs[tap].clone() for tap in taps}  # a CUDA graph would overwrite them

    places = torch.arange(split.batch_size, device=split.images.device)
    indices, views = places * (len(split) // len(places)), 7 * places % (split.num_views or 1)
    taps = dict.fromkeys(("logits", *readers))
    outputs = says(indices, views)
    for tap in taps:
        if outputs[tap].ndim != 2:
            shape = " x ".join(map(str, outputs[tap].shape[1:]))
            raise CacheUnavailable(f"{readers[tap]} reads {tap}, which is no vector but {shape} numbers an image")
        if outputs[tap].dtype != torch.float32:
            raise CacheUnavailable(
                f"it answers in {str(outputs[tap].dtype).removeprefix('torch.')}, and float32 is what can be kept"
            )
    elsewhere = says(indices.roll(1), views.roll(1))
    half = len(places) // 2
    others = indices.clone()
    others[half:] = (others[half:] + 1) % len(split)
    company = says(others, views)
    for tap in taps:
        same = torch.equal(elsewhere[tap].roll(-1, 0), outputs[tap]) and torch.equal(
            company[tap][:half], outputs[tap][:half]
        )
        if not same:
            raise CacheUnavailable(
                "what it says about an image depends on the others in the batch, or on its place among them"
            )
    return {tap: outputs[tap].shape[1] for tap in taps}

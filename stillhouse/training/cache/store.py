"""The folder of all teacher caches: find the one for a teacher and its data, and limit the size of all."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ...checkpoints import fingerprint, write_atomically
from ...data import Data, InMemory
from ...models.adapt import adapted
from ...spelling import counted
from ...taps import Tapped
from .teacher_cache import TeacherCache

FORMAT = 1  # of the files; raise it when views or rows change their meaning
BUDGET = 4e9  # bytes, by default
SHARE_OF_FREE = 0.1  # of the disk, by default
WORTHWHILE = 0.1  # share of outputs needed a second time; below it, auto starts no cache


class CacheUnavailable(Exception):  # noqa: N818 (it is not an error)
    """A teacher's outputs cannot be cached; the message says why, in a clause."""


@dataclass(frozen=True)
class CacheStore:
    """A folder for teacher caches, and how much of the disk they may take.

    Args:
        use: "auto" caches the teacher's outputs if that is possible and pays, "on" insists.
        budget: GB (10^9 bytes) for all caches in this folder; if omitted, 4 or a tenth of the free disk space, if that
            is less.
    """

    folder: Path
    use: Literal["auto", "on"] = "auto"
    budget: float | None = None

    def check(self, folder: Path, size: int) -> None:
        """Raise CacheUnavailable if a cache of `size` bytes in this folder is too large."""
        taken = {path: path.stat().st_blocks * 512 for path in self.folder.rglob("*.rows")}
        here = sum(blocks for path, blocks in taken.items() if path.parent == folder)
        others = sum(taken.values()) - here
        free = shutil.disk_usage(next(place for place in (self.folder, *self.folder.parents) if place.exists())).free
        budget = min(BUDGET, SHARE_OF_FREE * (free + here + others)) if self.budget is None else self.budget * 1e9
        beside = f" beside the {others / 1e9:.2g} GB of others in {self.folder}" if others > 1e7 else ""
        if size + others > budget:
            raise CacheUnavailable(
                f"its outputs may take {size / 1e9:.3g} GB{beside}, but only {budget / 1e9:.3g} GB are allowed "
                f"(--cache_budget)"
            )
        if size - here > free:
            raise CacheUnavailable(
                f"its outputs may take {size / 1e9:.3g} GB, but only {free / 1e9:.3g} GB of the disk are free"
            )


@torch.no_grad()
def open_cache(store: CacheStore, teacher: Tapped, readers: Mapping[str, str], data: Data, epochs: int) -> TeacherCache:
    """Open the cache of a teacher's outputs.

    Args:
        teacher: On its device, in eval mode.
        readers: For each tap, the name of a method that reads it.
        epochs: Number of epochs in which the outputs will be needed.

    Raises:
        CacheUnavailable: If there cannot be one, or it would not pay.
        ValueError: If there is one for something else.
    """
    folder, key, widths, _ = _worthwhile(store, teacher, readers, data, epochs)
    split = data.train
    assert isinstance(split, InMemory)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _claim(folder, key)
        return TeacherCache(folder, teacher, split, widths)
    except OSError as error:
        raise CacheUnavailable(f"{folder} cannot be written ({error.strerror})") from error


@torch.no_grad()
def share_computed(store: CacheStore, teacher: Tapped, readers: Mapping[str, str], data: Data, epochs: int) -> float:
    """Return the share of a teacher's outputs that a training computes with an empty cache; the rest is read from it.

    Nothing is written; arguments and errors as for `open_cache`.
    """
    return 1 - _worthwhile(store, teacher, readers, data, epochs)[-1]


def _worthwhile(
    store: CacheStore, teacher: Tapped, readers: Mapping[str, str], data: Data, epochs: int
) -> tuple[Path, dict[str, object], dict[str, int], float]:
    """Return the folder of a cache, its header, the widths of its rows, and the share of outputs needed again."""
    split, size = data.train, data.train.batch_size
    if not isinstance(split, InMemory) or split.num_views is None:
        raise CacheUnavailable(f"{data.name} is shown in new ways in each epoch, so no output is needed twice")
    if len(split) < size:
        raise CacheUnavailable("there are fewer images than a batch holds")
    key = _key(teacher, data, split)
    digest = hashlib.blake2b(json.dumps(key, sort_keys=True).encode(), digest_size=8).hexdigest()
    folder = store.folder / f"{type(teacher.model).__name__}-{data.name}-{digest}"
    twice = 1 - split.num_views / epochs * (1 - (1 - 1 / split.num_views) ** epochs)
    if store.use == "auto" and twice < WORTHWHILE and not (folder / "header.json").is_file():
        raise CacheUnavailable(
            f"in {counted(epochs, 'epoch')} {100 * max(0.0, twice):.0f} % of its outputs are needed twice"
        )
    widths = _widths(teacher, readers, split)
    store.check(folder, len(split) * split.num_views * sum(4 * (width + 1) for width in widths.values()))
    return folder, key, widths, twice


def _key(teacher: Tapped, data: Data, split: InMemory) -> dict[str, object]:
    """Return everything that an output depends on."""
    device = next(teacher.parameters()).device
    is_cpu, around = device.type == "cpu", adapted(teacher.model)
    return {
        "format": FORMAT,
        "weights": fingerprint(teacher.model),
        "layers": hashlib.blake2b(str(teacher.model).encode(), digest_size=16).hexdigest(),
        **({"adapted": around} if around else {}),
        "data": data.fingerprint,
        "images": len(split),
        "image_size": data.info.image_size,
        "normalisation": [list(data.mean), list(data.std)],
        "padding": split.padding,
        "flip": split.flip,
        **({} if split.crop == "shifted" else {"crop": split.crop}),
        "batch_size": split.batch_size,
        "torch": torch.__version__,
        "device": torch.backends.cpu.get_cpu_capability() if is_cpu else torch.cuda.get_device_name(device),
        "threads": torch.get_num_threads() if is_cpu else None,
        "precision": torch.get_float32_matmul_precision(),
        **({"autocast": str(teacher.precision)} if teacher.precision else {}),
        "compiled": teacher._compiled_call_impl is not None and "frozen",
    }


def _claim(folder: Path, key: Mapping[str, object]) -> None:
    """Write a folder's header, which says what the folder caches, or check the one that is there."""
    header = folder / "header.json"
    expected = json.dumps(key, indent=2).encode()
    if not header.exists():
        write_atomically(header, expected)
    found: dict[str, object] = {}
    if header.is_file() and header.stat().st_size < 2 * len(expected):
        with suppress(ValueError, TypeError, RecursionError):  # RecursionError: lists nested thousands deep
            found = dict(json.loads(header.read_text(encoding="utf-8")))
    if found != key:
        differ = ", ".join(name for name in key if found.get(name) != key[name]) or "format"
        raise ValueError(
            f"{header} is damaged, or belongs to another teacher or other data (by its {differ}); remove {folder}"
        )


def _widths(teacher: Tapped, readers: Mapping[str, str], split: InMemory) -> dict[str, int]:
    """Return the widths of the vectors to cache, by tap, if the teacher's output for an image depends on it alone."""
    split.to(next(teacher.parameters()).device)

    def run(indices: Tensor, views: Tensor) -> dict[str, Tensor]:
        outputs = teacher(split.view(indices, views))
        return {tap: outputs[tap].clone() for tap in taps}  # a CUDA graph would overwrite them

    places = torch.arange(split.batch_size, device=split.images.device)
    indices, views = places * (len(split) // len(places)), 7 * places % (split.num_views or 1)
    taps = dict.fromkeys(("logits", *readers))
    outputs = run(indices, views)
    for tap in taps:
        if outputs[tap].ndim != 2:
            shape = tuple(outputs[tap].shape[1:])
            raise CacheUnavailable(f"{readers[tap]} reads {tap}, which has shape {shape}; only vectors can be cached")
        if outputs[tap].dtype != torch.float32:
            raise CacheUnavailable(
                f"its outputs are {str(outputs[tap].dtype).removeprefix('torch.')}; only float32 can be cached"
            )
    moved = run(indices.roll(1), views.roll(1))
    half = len(places) // 2
    others = indices.clone()
    others[half:] = (others[half:] + 1) % len(split)
    beside_others = run(others, views)
    for tap in taps:
        same = torch.equal(moved[tap].roll(-1, 0), outputs[tap]) and torch.equal(
            beside_others[tap][:half], outputs[tap][:half]
        )
        if not same:
            raise CacheUnavailable(
                "its outputs for an image depend on the others in the batch, or on its place among them"
            )
    return {tap: outputs[tap].shape[1] for tap in taps}

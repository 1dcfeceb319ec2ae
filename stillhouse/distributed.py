"""Several processes, started by torchrun, that train the same students together; a single process is the only rank.

Every rank draws the same batches and runs its networks on a slice of each. The outputs are gathered, so the methods on
every rank see the whole batch. Losses that compare the images of a batch, memories, and the layers that methods train
are then those of a single process; averaging each rank's own loss would not give that. Gradients and the running
statistics of BatchNorms are averaged, so all ranks hold the same numbers after each step, and one of them writes the
files. A BatchNorm normalises by the statistics of its own rank's images, unless --sync_batchnorm is on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from .training.ranks import Lost as Lost, is_first as is_first, local_rank as local_rank, number as number, several

T = TypeVar("T")


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


@contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Meet the other ranks, if torchrun started more than one.

    Raises:
        Lost: If they cannot be reached, or one of them stops.
    """
    if not several() or dist.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    with _watched():
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def on_this_machine() -> int:
    """Return the number of processes that share the memory of this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if world_size() > 1 else 1


def my_slice(length: int, of: int | None = None) -> slice:
    """Return the slice of `length` rows that the rank `of` processes; this rank's if omitted."""
    of = rank() if of is None else of
    return slice(length * of // world_size(), length * (of + 1) // world_size())


def every(parts: Sequence[T]) -> Sequence[T]:
    """Return this rank's share of a list of equal tasks."""
    return parts[rank() :: world_size()]


def gather(part: Tensor, length: int) -> Tensor:
    """Return the rows of all ranks, (length, ...), the same on each, with a gradient for this rank's rows.

    The gradient is multiplied by the number of ranks because `average` divides by it: the loss is the same on every
    rank, and each rank contributes the part of its gradient that comes from its own rows.
    """
    if world_size() == 1:
        return part
    whole: Tensor = _Gathered.apply(part, length)
    return whole


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor, length: int) -> Tensor:
        ctx.rows = my_slice(length)
        is_last = part.ndim == 4 and part.is_contiguous(memory_format=torch.channels_last)
        rows = part.permute(0, 2, 3, 1) if is_last else part
        sizes = [len(range(length)[my_slice(length, of)]) for of in range(world_size())]
        mine = rows.new_zeros(max(sizes), *rows.shape[1:])
        mine[: len(rows)] = rows
        found = [torch.empty_like(mine) for _ in sizes]
        with _watched():
            dist.all_gather(found, mine)
        whole = torch.cat([one[:size] for one, size in zip(found, sizes, strict=True)])
        return whole.permute(0, 3, 1, 2) if is_last else whole

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0][ctx.rows] * world_size(), None


@torch.no_grad()
def average(tensors: Iterable[Tensor | None]) -> None:
    """Replace each tensor by its mean over the ranks."""
    if world_size() == 1:
        return
    present = [tensor for tensor in tensors if tensor is not None]
    for dtype in sorted({tensor.dtype for tensor in present}, key=str):
        some = [tensor for tensor in present if tensor.dtype == dtype]
        flat = torch.cat([tensor.flatten() for tensor in some])
        with _watched():
            dist.all_reduce(flat)
        flat /= world_size()
        for tensor, mean in zip(some, torch.split(flat, [tensor.numel() for tensor in some]), strict=True):
            tensor.data.copy_(mean.view_as(tensor))  # hidden from autograd, which may have saved running statistics


def collect(value: T) -> list[T]:
    """Return the values of all ranks, on every rank."""
    if world_size() == 1:
        return [value]
    found: list[Any] = [None] * world_size()
    with _watched():
        dist.all_gather_object(found, value)
    return found


def barrier() -> None:
    """Wait until all ranks are here."""
    collect(None)


@contextmanager
def _watched() -> Iterator[None]:
    """Replace the libraries' long errors by one sentence."""
    try:
        yield
    except RuntimeError as error:  # DistBackendError, or gloo's own
        raise Lost(
            f"another process of this training is gone ({str(error).splitlines()[0][:120]}); nothing that was saved is "
            "lost; run the same command again to resume"
        ) from error

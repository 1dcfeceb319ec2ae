"""Latencies of networks on this machine, in eager PyTorch: by the number of images at once and of threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..export.latency import Latency, latency
from ..forward import dry_run
from ..models.spec import NetworkSource
from ..modes import in_eval_mode
from ..rng import stream

BATCHES = (1, 32)  # images at once: one request, and many


@dataclass(frozen=True)
class Speed:
    """The latency of a network in one situation.

    Args:
        images: Number of images at once.
        threads: CPU threads; on a GPU they hardly matter.
        latency: Milliseconds for all of these images together.
    """

    images: int
    threads: int
    latency: Latency


def speeds(
    source: NetworkSource,
    classes: int,
    image_size: int,
    images: Sequence[int] = BATCHES,
    threads: Sequence[int] | None = None,
    device: torch.device | None = None,
    seconds: float = 0.5,
    least: int = 10,
) -> list[Speed]:
    """Measure a network with fresh weights, on which its speed does not depend.

    Args:
        source: The network; its file of weights is not read.
        classes: Number of classes.
        image_size: Height and width of the images in px.
        images: Numbers of images at once.
        threads: Numbers of CPU threads; by default one and as many as PyTorch uses now. They are restored.
        device: By default the CPU.
        seconds: Time to measure in each situation, of calls after the first ones.
        least: Number of calls that are timed even if they take longer.

    Raises:
        ValueError: If there is no such network, or it cannot be built, take such images or tell so many classes apart.
    """
    fresh = replace(source, weights=None, key=None, skip_head=False)
    model = fresh.build_for(classes, image_size)
    logits = dry_run(model, image_size).logits
    if logits.ndim != 2 or logits.shape[1] != classes:
        found = f"{logits.shape[1]}" if logits.ndim == 2 else f"an output of shape {tuple(logits.shape[1:])}"
        raise ValueError(
            f"it must return one logit for each of the {classes} classes, not {found}; build it with "
            f"num_classes={classes}"
        )
    return speeds_of(model, image_size, images, threads, device, seconds, least)


def speeds_of(
    model: nn.Module,
    image_size: int,
    images: Sequence[int] = BATCHES,
    threads: Sequence[int] | None = None,
    device: torch.device | None = None,
    seconds: float = 0.5,
    least: int = 10,
) -> list[Speed]:
    """Measure a network that is built already, which is moved to the device; for the rest see `speeds`."""
    device = device or torch.device("cpu")
    model = model.to(device)
    noise = torch.randn(max(images), 3, image_size, image_size, generator=stream(0, "latency")).to(device)

    def run(batch: Tensor) -> None:
        model(batch)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    found = []
    with torch.inference_mode(), in_eval_mode(model):
        for count in dict.fromkeys(threads or (1, torch.get_num_threads())):
            with cpu_threads(count):
                found += [Speed(many, count, latency(run, noise[:many], seconds, least)) for many in images]
    return found


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Compute with so many CPU threads within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)

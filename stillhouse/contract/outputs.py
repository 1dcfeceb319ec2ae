"""Helpers that take outputs apart into tensors, change them, put them together again, and compare them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..taps import Outputs

ROUNDING = 5e-4  # of float32, relative to the largest number compared


def parts(outputs: Outputs) -> list[Tensor]:
    """Return everything that a network computed for both views: logits, then features."""
    return [outputs.logits, *outputs.tapped.values(), *(parts(outputs.strong) if outputs.strong else [])]


def with_parts(outputs: Outputs, tensors: Iterable[Tensor]) -> Outputs:
    """Return the same outputs with other tensors, given in the order of `parts`."""
    return _refilled(outputs, iter(tensors))


def _refilled(outputs: Outputs, tensors: Iterator[Tensor]) -> Outputs:
    logits, tapped = next(tensors), {place: next(tensors) for place in outputs.tapped}
    strong = _refilled(outputs.strong, tensors) if outputs.strong else None
    return replace(outputs, logits=logits, tapped=tapped, strong=strong)


def laid_out(part: Tensor, layout: torch.memory_format) -> Tensor:
    return part.contiguous(memory_format=layout) if part.ndim == 4 else part


def squared_norm(tensors: Sequence[Tensor]) -> Tensor:
    return torch.stack([tensor.detach().square().sum() for tensor in tensors]).sum()


def close(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one - other).abs().max() <= ROUNDING * one.abs().max())

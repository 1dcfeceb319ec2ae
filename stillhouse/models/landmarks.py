"""Landmarks of a network that does not declare them, found by a dry run: see `Anatomy`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor, nn

from ..forward import Call, DryRun, dry_run, gives_logits

_SHORTCUT = re.compile(r"downsample|shortcut|skip")
_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Mish)


class Landmarks(NamedTuple):
    """The fields of an `Anatomy` that can be found, in its order."""

    stages: tuple[str, ...]
    head: str | None
    map: str | None = None
    stem: str | None = None
    preacts: tuple[str, ...] = ()
    norms: tuple[str, ...] = ()
    channels_last: bool = False


def find(model: nn.Module, image_size: int | None) -> Landmarks:
    """Return the landmarks that a dry run on noise finds; for `image_size` see `Anatomy.of`."""
    run = dry_run(model, image_size)
    calls, logits, head = run.calls, run.logits, _find_head(model, run)
    tokens = _token_stages(calls)
    maps = [call for call in calls if call.value.ndim == 4 and len(call.value) == len(logits)]
    if tokens or not maps:  # a transformer, perhaps after a convolutional patch embedding
        return Landmarks(tokens, head)
    pool = _global_pool(maps)
    if pool:
        maps = [call for call in maps[: maps.index(pool)] if not call.path.startswith(f"{pool.path}.")]
    outer = [call for call in maps if not _ancestors(call.path, calls, blocks_only=True)]
    square = [call.value.shape for call in outer if len(set(call.value.shape[1:])) > 1]
    channels_last = 2 * sum(shape[1] == shape[2] for shape in square) > len(square)
    stem, stages = _strided_stages(maps, calls, channels_last)
    place = f"{pool.path}:in" if pool and not channels_last else (stages[-1].path if stages else None)
    preacts, norms = ((), ()) if channels_last else _preactivations(calls, stages)
    return Landmarks(
        tuple(call.path for call in stages), head, place, stem.path if stem else None, preacts, norms, channels_last
    )


def _find_head(model: nn.Module, run: DryRun) -> str | None:
    """Return the last linear layer if its output is always the logits, not just for the present weights."""
    for call in reversed(run.calls):
        if isinstance(call.module, nn.Linear) and call.value.shape == run.logits.shape:
            takes_vectors = call.input is not None and call.input.ndim == 2
            return call.path if takes_vectors and gives_logits(model, call, run) else None
    return None


def _global_pool(maps: list[Call]) -> Call | None:
    """Return the pooling module after which nothing is spatial."""
    convolved = False
    for call in reversed(maps):
        spatial = call.value.shape[2:].numel()
        # On small images a strided pool between two stages leaves one pixel as well.
        strided = convolved and isinstance(call.module, (nn.AvgPool2d, nn.MaxPool2d))
        if "pool" in type(call.module).__name__.lower() and spatial == 1 and not strided:
            return call
        if spatial > 1:
            return None
        convolved = convolved or isinstance(call.module, nn.Conv2d)
    return None


def _ancestors(path: str, calls: list[Call], blocks_only: bool = False) -> list[Call]:
    """Return the calls of the modules around this one; plain `nn.Sequential`s do not count as blocks."""
    around = [call for call in calls if path.startswith(f"{call.path}.")]
    return [call for call in around if not blocks_only or type(call.module) is not nn.Sequential]


def _strided_stages(maps: list[Call], calls: list[Call], channels_last: bool) -> tuple[Call | None, list[Call]]:
    """Return the last map of each resolution, and the stem if the first resolution has no block of its own."""
    across = slice(1, 3) if channels_last else slice(2, 4)

    def side(value: Tensor) -> int:
        height, width = value.shape[across] if value.ndim == 4 else (0, 1)
        return height if height == width else 0

    def inside_a_downsampling_block(call: Call) -> bool:
        return any(
            side(block.value) < side(call.value)
            and block.input is not None
            and side(block.input) <= 2 * side(block.value)
            for block in _ancestors(call.path, calls, blocks_only=True)
        )

    largest_after, lasting = 0, []
    for call in reversed(maps):  # squeeze-and-excitation shrinks maps only briefly: skip those that grow again
        if side(call.value) >= max(largest_after, 1) and not inside_a_downsampling_block(call):
            largest_after = side(call.value)
            if not call.overwritten:
                lasting.append(call)
    by_side: dict[int, list[Call]] = {}
    for call in reversed(lasting):
        by_side.setdefault(side(call.value), []).append(call)
    groups = list(by_side.values())
    ends = [group[-1] for group in groups]
    layers = sum(isinstance(call.module, (nn.Conv2d, nn.Linear)) for call in _upto(calls, ends[0])) if ends else 0
    has_stem = len(groups) > 3 and (layers == 1 or all(call.is_leaf for call in groups[0]))
    return (ends[0], ends[1:]) if has_stem else (None, ends)


def _token_stages(calls: list[Call]) -> tuple[str, ...]:
    """Return four evenly spaced blocks from the longest run of siblings that return tokens (N, L, D)."""
    rows: dict[str, list[Call]] = {}
    for call in calls:
        if call.value.ndim == 3 and not call.is_leaf:
            rows.setdefault(call.path.rpartition(".")[0], []).append(call)
    blocks = max(rows.values(), key=len, default=[])
    blocks = [call for call in blocks if type(call.module) is type(blocks[0].module)]
    if len(blocks) < 4:
        return ()
    return tuple(blocks[len(blocks) * (i + 1) // 4 - 1].path for i in range(4))


def _preactivations(calls: list[Call], stages: list[Call]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return where each stage is before its last activation (its end if it has none), and the BatchNorm before that."""
    preacts, norms = [], []
    for stage in stages:
        inside = list(_upto(calls, stage))
        last = next(call for call in reversed(inside) if call.is_leaf)
        ends_active = isinstance(last.module, _ACTIVATIONS) and last.value.data_ptr() == stage.value.data_ptr()
        preacts.append(f"{last.path}:in" if ends_active else stage.path)
        kinds = (nn.BatchNorm2d, nn.Conv2d)  # a BatchNorm before a convolution was not the last to scale the stage
        main = [call for call in inside if isinstance(call.module, kinds) and not _SHORTCUT.search(call.path)]
        if main and isinstance(main[-1].module, nn.BatchNorm2d) and main[-1].value.shape[1] == stage.value.shape[1]:
            norms.append(main[-1].path)
    return tuple(preacts), tuple(norms) if len(norms) == len(stages) else ()


def _upto(calls: list[Call], stage: Call) -> Iterator[Call]:
    for call in calls:
        yield call
        if call is stage:
            return

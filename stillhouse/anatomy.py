"""Where the landmarks of a classifier are, so that methods can say `stage2` and mean it in any network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn

from .modes import in_eval_mode

_SHORTCUT = re.compile(r"downsample|shortcut|skip")
_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Mish)


@dataclass(frozen=True)
class Anatomy:
    """Dotted module paths. A trailing `:in` means the module's input instead of its output.

    Methods name places by role, and `resolve` turns a role into a path: `stem`, `stage1` ... `stageN`,
    `last_stage`, `preact1` ... `preactN`, `map`, `embedding`, `logits`. Any dotted path is a place as well.
    """

    stages: tuple[str, ...] = ()  # (N, C, H, W) or (N, L, D), shallow to deep
    head: str | None = None  # the classifier, (N, D) -> (N, C)
    map: str | None = None  # the last spatial map, (N, C, H, W), just before pooling
    stem: str | None = None  # what the first stage reads
    preacts: tuple[str, ...] = ()  # each stage before its last activation
    norms: tuple[str, ...] = ()  # the BatchNorm that last scaled each of `preacts`
    channels_last: bool = False  # this network's maps are (N, H, W, C)
    chain: tuple[str, ...] = ()  # modules and methods that, called one after another, are the network

    @classmethod
    def of(cls, model: nn.Module, image_size: int | None = None, given: Anatomy | None = None) -> Anatomy:
        """What the model declares as `model.anatomy`, or what a dry run on a blank image finds.

        Args:
            image_size: Height and width of the images it takes, in px; tried out when left out.
            given: Landmarks that are known better; the others are found.
        """
        declared = getattr(model, "anatomy", None)
        found = declared if isinstance(declared, cls) else _find(model, image_size)
        known = {field.name: getattr(given, field.name) for field in fields(cls)} if given else {}
        return replace(found, **{name: value for name, value in known.items() if value})

    @property
    def roles(self) -> list[str]:
        """The names that `resolve` knows in this network."""
        singles = {"stem": self.stem, "last_stage": self.stages, "map": self.map, "embedding": self.head}
        return [
            *(f"stage{i + 1}" for i in range(len(self.stages))),
            *(f"preact{i + 1}" for i in range(len(self.preacts))),
            *(name for name, path in singles.items() if path),
            "logits",
        ]

    def resolve(self, place: str) -> str:
        """A role or a dotted path -> a dotted path.

        Raises:
            ValueError: If the network has no place of that role.
        """
        for role, paths in (("stage", self.stages), ("preact", self.preacts)):
            number = place.removeprefix(role)
            if place.startswith(role) and number.isdigit():
                if not 1 <= int(number) <= len(paths):
                    raise ValueError(f"the network has no {place!r}; it has {', '.join(self.roles)}")
                return paths[int(number) - 1]
        head = f"{self.head}:in" if self.head else None
        last = self.stages[-1] if self.stages else None
        singles = {"stem": self.stem, "last_stage": last, "map": self.map, "embedding": head}
        path = singles.get(place, place)
        if path is None:
            raise ValueError(f"no {place!r} was found in this network (it has {', '.join(self.roles)}); give its path")
        return path

    def describe(self) -> str:
        """One line for people."""
        stages = " ".join(f"{i + 1}={path}" for i, path in enumerate(self.stages)) or "none found"
        return f"stages {stages}; map {self.map or 'none'}; head {self.head or 'none found'}"


@dataclass(frozen=True)
class _Call:
    """A module that ran, and what came out."""

    path: str
    module: nn.Module
    value: Tensor
    input: Tensor | None
    version: int

    @property
    def overwritten(self) -> bool:
        return self.value._version != self.version

    @property
    def is_leaf(self) -> bool:
        return next(self.module.children(), None) is None


def _find(model: nn.Module, image_size: int | None) -> Anatomy:
    calls, logits = dry_run(model, image_size)
    head = _find_head(calls, logits)
    tokens = _token_stages(calls)
    maps = [call for call in calls if call.value.ndim == 4 and len(call.value) == len(logits)]
    if tokens or not maps:  # a transformer, perhaps behind a convolutional patch embedding
        return Anatomy(tokens, head)
    pool = _global_pool(maps)
    if pool:
        maps = [call for call in maps[: maps.index(pool)] if not call.path.startswith(f"{pool.path}.")]
    outer = [call for call in maps if not _ancestors(call.path, calls, blocks_only=True)]
    square = [call.value.shape for call in outer if len(set(call.value.shape[1:])) > 1]
    channels_last = 2 * sum(shape[1] == shape[2] for shape in square) > len(square)
    stem, stages = _strided_stages(maps, calls, channels_last)
    place = f"{pool.path}:in" if pool and not channels_last else (stages[-1].path if stages else None)
    preacts, norms = ((), ()) if channels_last else _preactivations(calls, stages)
    return Anatomy(
        tuple(call.path for call in stages), head, place, stem.path if stem else None, preacts, norms, channels_last
    )


@torch.no_grad()
def dry_run(model: nn.Module, image_size: int | None) -> tuple[list[_Call], Tensor]:
    """Every module call in the order of completion, and the logits, for one batch of two blank images."""
    calls: list[_Call] = []

    def record(path: str, module: nn.Module, args: tuple[object, ...], value: object) -> None:
        if isinstance(value, Tensor):
            first = args[0] if args and isinstance(args[0], Tensor) else None
            calls.append(_Call(path, module, value, first, value._version))

    handles = [
        module.register_forward_hook(lambda m, args, value, path=path: record(path, m, args, value))
        for path, module in model.named_modules()
        if path
    ]
    parameter = next(model.parameters(), None)
    if parameter is None:
        raise ValueError(f"{type(model).__name__} has no parameters, so there is nothing to train or to distil")
    error: Exception | None = None
    try:
        for size in (image_size,) if image_size else _likely_sizes(model):
            calls.clear()
            blank = torch.zeros(2, 3, size, size, dtype=parameter.dtype, device=parameter.device)
            try:
                with in_eval_mode(model):
                    logits = model(blank)
            except (RuntimeError, AssertionError) as failure:
                error = failure
                continue
            if not isinstance(logits, Tensor):
                raise ValueError(f"{type(model).__name__} returns {type(logits).__name__}, not a tensor of logits")
            return calls, logits
    finally:
        for handle in handles:
            handle.remove()
    sizes = image_size or " or ".join(map(str, _likely_sizes(model)))
    reason = str(error).splitlines()[0]
    raise ValueError(
        f"{type(model).__name__} cannot take images of {sizes} px ({reason}); choose another network or --image_size"
    ) from error


def _likely_sizes(model: nn.Module) -> list[int]:
    declared = getattr(model, "pretrained_cfg", None) or {}
    size = declared.get("input_size", (3, 224, 224))[-1] if isinstance(declared, dict) else 224
    return list(dict.fromkeys([size, 224, 32, 64]))


def _find_head(calls: list[_Call], logits: Tensor) -> str | None:
    """The last linear layer, if what it returns are the logits."""
    for call in reversed(calls):
        if isinstance(call.module, nn.Linear) and call.value.shape == logits.shape:
            same = call.value.data_ptr() == logits.data_ptr() or torch.equal(call.value, logits)
            return call.path if same and call.input is not None and call.input.ndim == 2 else None
    return None


def _global_pool(maps: list[_Call]) -> _Call | None:
    """The pooling module behind which nothing spatial comes."""
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


def _ancestors(path: str, calls: list[_Call], blocks_only: bool = False) -> list[_Call]:
    """The calls of the modules around this one; plain `nn.Sequential`s do not count as blocks."""
    around = [call for call in calls if path.startswith(f"{call.path}.")]
    return [call for call in around if not blocks_only or type(call.module) is not nn.Sequential]


def _strided_stages(maps: list[_Call], calls: list[_Call], channels_last: bool) -> tuple[_Call | None, list[_Call]]:
    """The last map of each resolution, and the stem if the first resolution has no block of its own."""
    across = slice(1, 3) if channels_last else slice(2, 4)

    def side(value: Tensor) -> int:
        height, width = value.shape[across] if value.ndim == 4 else (0, 1)
        return height if height == width else 0

    def inside_a_downsampling_block(call: _Call) -> bool:
        return any(
            side(block.value) < side(call.value)
            and block.input is not None
            and side(block.input) <= 2 * side(block.value)
            for block in _ancestors(call.path, calls, blocks_only=True)
        )

    largest_after, lasting = 0, []
    for call in reversed(maps):  # squeeze-and-excitation shrinks for a moment only: skip what grows again
        if side(call.value) >= max(largest_after, 1) and not inside_a_downsampling_block(call):
            largest_after = side(call.value)
            if not call.overwritten:
                lasting.append(call)
    by_side: dict[int, list[_Call]] = {}
    for call in reversed(lasting):
        by_side.setdefault(side(call.value), []).append(call)
    groups = list(by_side.values())
    ends = [group[-1] for group in groups]
    layers = sum(isinstance(call.module, (nn.Conv2d, nn.Linear)) for call in _upto(calls, ends[0])) if ends else 0
    has_stem = len(groups) > 3 and (layers == 1 or all(call.is_leaf for call in groups[0]))
    return (ends[0], ends[1:]) if has_stem else (None, ends)


def _token_stages(calls: list[_Call]) -> tuple[str, ...]:
    """Four evenly spaced blocks of the longest row of siblings that return tokens (N, L, D)."""
    rows: dict[str, list[_Call]] = {}
    for call in calls:
        if call.value.ndim == 3 and not call.is_leaf:
            rows.setdefault(call.path.rpartition(".")[0], []).append(call)
    blocks = max(rows.values(), key=len, default=[])
    blocks = [call for call in blocks if type(call.module) is type(blocks[0].module)]
    if len(blocks) < 4:
        return ()
    return tuple(blocks[len(blocks) * (i + 1) // 4 - 1].path for i in range(4))


def _preactivations(calls: list[_Call], stages: list[_Call]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Each stage before its last activation (itself if it ends without one), and the BatchNorm before that."""
    preacts, norms = [], []
    for stage in stages:
        inside = list(_upto(calls, stage))
        last = next(call for call in reversed(inside) if call.is_leaf)
        ends_active = isinstance(last.module, _ACTIVATIONS) and last.value.data_ptr() == stage.value.data_ptr()
        preacts.append(f"{last.path}:in" if ends_active else stage.path)
        kinds = (nn.BatchNorm2d, nn.Conv2d)  # what a convolution follows did not scale the stage last
        main = [call for call in inside if isinstance(call.module, kinds) and not _SHORTCUT.search(call.path)]
        if main and isinstance(main[-1].module, nn.BatchNorm2d) and main[-1].value.shape[1] == stage.value.shape[1]:
            norms.append(main[-1].path)
    return tuple(preacts), tuple(norms) if len(norms) == len(stages) else ()


def _upto(calls: list[_Call], stage: _Call) -> Iterator[_Call]:
    for call in calls:
        yield call
        if call is stage:
            return

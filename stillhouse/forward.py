"""Calls of any network: find the logits in its return value, and record the modules that ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .modes import in_eval_mode
from .rng import stream
from .spelling import EXAMPLE


def return_logits(model: nn.Module) -> nn.Module:
    """Make a network return only its logits from now on, even if it also returns features or auxiliary logits."""
    if _only_logits not in model._forward_hooks.values():
        model.register_forward_hook(_only_logits)
    return model


def _only_logits(model: nn.Module, args: tuple[object, ...], output: object) -> Tensor:
    return logits_of(output, type(model).__name__)


def logits_of(output: object, name: str = "network") -> Tensor:
    """Find the logits in the output of a network.

    They are the output itself if it is a tensor, its item or attribute `logits`, or its only (N, C) tensor.

    Args:
        name: The network's name, for the message.

    Raises:
        ValueError: If none of these applies; the message shows how to wrap the network.
    """
    if isinstance(output, Tensor):
        return output
    named = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    if isinstance(named, Tensor):
        return named
    kind = type(output).__name__
    if isinstance(output, tuple | list):
        vectors = [value for value in output if isinstance(value, Tensor) and value.ndim == 2]
        if vectors and all(value is vectors[0] for value in vectors):
            return vectors[0]
        kind = f"{kind} of {len(output)}, {len(vectors)} of them (N, C) tensors"
    raise ValueError(wrap(name, f"returns a {kind}, so it is unclear which are its logits", "(images)[0]"))


def are_probabilities(logits: Tensor) -> bool:
    """Tell whether all rows of (N, C) are probabilities: no entry is negative, and each row sums to one."""
    sums = logits.float().sum(1)
    return logits.shape[1] > 1 and bool((logits >= 0).all() and ((sums - 1).abs() < 1e-3).all())


def wrap(name: str, problem: str, call: str) -> str:
    """Return a sentence about a network's problem and the lines of a wrapper that solves it; `call` ends them."""
    return (
        f"{name} {problem}; wrap it in a file of your own and name that instead, {EXAMPLE}"
        f"class Wrapped({name}):\n    def forward(self, images):\n        return super().forward{call}\n"
    )


@dataclass(frozen=True)
class Call:
    """A module that ran, with its input and output."""

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


@dataclass(frozen=True)
class DryRun:
    """One call of a network: its modules' calls in the order of completion, and its logits (2, C)."""

    calls: list[Call]
    logits: Tensor
    image_size: int


@torch.no_grad()
def dry_run(model: nn.Module, image_size: int | None) -> DryRun:
    """Call a network with two images of noise, in eval mode.

    Args:
        image_size: Height and width in px; likely ones are tried when left out.

    Raises:
        ValueError: If the network cannot take images of this size, or returns no logits.
    """
    calls: list[Call] = []

    def record(path: str, module: nn.Module, args: tuple[object, ...], value: object) -> None:
        if isinstance(value, Tensor):
            first = args[0] if args and isinstance(args[0], Tensor) else None
            calls.append(Call(path, module, value, first, value._version))

    handles = [
        module.register_forward_hook(lambda m, args, value, path=path: record(path, m, args, value))
        for path, module in model.named_modules()
        if path
    ]
    error: Exception | None = None
    try:
        for size in (image_size,) if image_size else likely_sizes(model):
            calls.clear()
            try:
                with in_eval_mode(model):
                    output = model(noise(model, size))
            except (RuntimeError, AssertionError) as failure:
                error = failure
                continue
            return DryRun(calls, logits_of(output, type(model).__name__), size)
    finally:
        for handle in handles:
            handle.remove()
    raise ValueError(_why_not(model, image_size, error)) from error


def noise(model: nn.Module, size: int) -> Tensor:
    """Return two images of noise, like a network's weights in device and format; blank ones would hide much."""
    parameter = next(model.parameters(), None)
    if parameter is None:
        raise ValueError(f"{type(model).__name__} has no parameters, so there is nothing to train or distil")
    return torch.randn(2, 3, size, size, generator=stream(0, "probe")).to(parameter)


def likely_sizes(model: nn.Module) -> list[int]:
    """Return the image sizes that a network may be made for, most likely first."""
    declared = getattr(model, "pretrained_cfg", None) or {}
    size = declared.get("input_size", (3, 224, 224))[-1] if isinstance(declared, dict) else 224
    return list(dict.fromkeys([size, 224, 32, 64]))


def _why_not(model: nn.Module, image_size: int | None, error: Exception | None) -> str:
    name = type(model).__name__
    first = next((module for module in model.modules() if isinstance(module, nn.Conv2d)), None)
    if first is not None and first.in_channels != 3 and "but got 3 channels" in str(error):
        call = "(images.mean(1, keepdim=True))" if first.in_channels == 1 else "(...)  # made from images"
        channels = "1 channel" if first.in_channels == 1 else f"{first.in_channels} channels"
        return wrap(name, f"takes images with {channels}, but these have 3", call)
    sizes = image_size or " or ".join(map(str, likely_sizes(model)))
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return f"{name} cannot take images of {sizes} px ({reason}); choose another network or --image_size"


@torch.no_grad()
def gives_logits(model: nn.Module, call: Call, run: DryRun) -> bool:
    """Tell whether a module's output is always the network's logits, not just for the present weights.

    Its output is replaced by other numbers: the network must return exactly these.
    """
    if call.value.data_ptr() == run.logits.data_ptr() and not call.overwritten:
        return True
    other = torch.randn(run.logits.shape, generator=stream(0, "logits")).to(run.logits)
    handle = call.module.register_forward_hook(lambda module, args, value: other.clone())
    try:
        with in_eval_mode(model):
            output = logits_of(model(noise(model, run.image_size)), type(model).__name__)
    finally:
        handle.remove()
    return output.shape == other.shape and torch.equal(output, other)

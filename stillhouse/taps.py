"""Reading a network at named places through forward hooks; the network's own code stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from . import distributed
from .anatomy import Anatomy
from .batch import Batch
from .forward import return_logits
from .modes import in_eval_mode
from .rng import stream


@dataclass(frozen=True)
class Outputs:
    """Outputs of one network for one batch."""

    logits: Tensor  # (N, C)
    tapped: Mapping[str, Tensor]  # tap name -> (N, ...)
    net: Tapped  # the network that returned them
    precision: torch.dtype | None = None  # number format that autocast used; None without autocast
    strong: Outputs | None = None  # its outputs for the strong view of the same images, if the batch has one

    def __getitem__(self, tap: str) -> Tensor:
        return self.logits if tap == "logits" else self.tapped[tap]

    def rows(self, keep: Tensor) -> Outputs:
        """Return the same outputs for some of the samples; `keep` is a mask or indices over N."""
        tapped = {tap: value[keep] for tap, value in self.tapped.items()}
        strong = None if self.strong is None else self.strong.rows(keep)
        return replace(self, logits=self.logits[keep], tapped=tapped, strong=strong)


class Tapped(nn.Module):
    """Any image classifier, returning `Outputs` instead of bare logits.

    Args:
        model: The network, unmodified; its parameters keep their names under `model.`.
        anatomy: Its landmarks; if omitted, those that `Anatomy.of` returns.

    Attributes:
        precision: Number format for autocast; None leaves it to the caller.
        foreign_logits: Reason, as a clause after "the teacher", why its logits mean nothing for these data; they are
            then NaN.
    """

    precision: torch.dtype | None = None
    foreign_logits: str | None = None

    def __init__(self, model: nn.Module, anatomy: Anatomy | None = None):
        super().__init__()
        self.model = return_logits(model)
        self.anatomy = anatomy or Anatomy.of(model)
        self._places: dict[str, str] = {}  # tap name -> path, `:in` included
        self._seen: dict[str, tuple[Tensor, int]] | None = None  # None: not recording

    @property
    def head(self) -> nn.Module:
        """(M, D) embedding -> (M, C) logits"""
        return self.module("embedding")

    def module(self, place: str) -> nn.Module:
        """Return the module that a role or dotted path names.

        Raises:
            ValueError: If this network has no such place.
        """
        path = self.anatomy.resolve(place).partition(":")[0]
        try:
            return self.model.get_submodule(path)
        except AttributeError:
            inside = ", ".join(name for name, _ in self.model.named_children())
            raise ValueError(
                f"{type(self.model).__name__} has no module {path!r}; its top-level modules are {inside}. "
                f"Roles are {', '.join(self.anatomy.roles)}."
            ) from None

    def tap(self, places: Iterable[str]) -> None:
        """Record these places from now on. Tapping a place twice costs nothing."""
        for name in dict.fromkeys(places):
            if name == "logits" or name in self._places:
                continue
            module, path = self.module(name), self.anatomy.resolve(name)
            if path.endswith(":in"):
                module.register_forward_pre_hook(partial(self._record_input, name))
            else:
                module.register_forward_hook(partial(self._record, name))
            self._places[name] = path

    # Hooks are bound methods, not closures: a deep copy of this module then records into itself.
    def _record(self, name: str, module: nn.Module, args: tuple[object, ...], value: object) -> None:
        if self._seen is not None:
            if not isinstance(value, Tensor):
                raise ValueError(
                    f"{type(self.model).__name__}: {self._places[name]!r} is a {type(value).__name__}, not a tensor; "
                    f"name a module inside it or after it"
                )
            if self.anatomy.channels_last and value.ndim == 4:
                value = value.permute(0, 3, 1, 2)
            self._seen[name] = (value, _version(value))

    def _record_input(self, name: str, module: nn.Module, args: tuple[object, ...]) -> None:
        value = args[0] if args else None  # keyword arguments do not reach hooks
        if isinstance(value, Tensor) and self._seen is not None and getattr(module, "inplace", False):
            value = value.clone()  # it is about to be overwritten
        self._record(name, module, args, value)

    def forward_batch(self, batch: Batch) -> Outputs:
        """Return the outputs for a batch, and for its strong view if it has one."""
        outputs = self._shared(batch.images)
        return outputs if batch.strong is None else replace(outputs, strong=self._shared(batch.strong))

    def _shared(self, images: Tensor) -> Outputs:
        """Run `forward` on this rank's share of the images, and gather the outputs of all ranks."""
        if distributed.world_size() == 1:
            alone: Outputs = self(images)
            return alone
        outputs: Outputs = self(images[distributed.my_slice(len(images))])
        if self.training:  # each rank's BatchNorms have seen only its share
            distributed.average(buffer for buffer in self.buffers() if buffer.is_floating_point())
        tapped = {name: distributed.gather(value, len(images)) for name, value in outputs.tapped.items()}
        return replace(outputs, logits=distributed.gather(outputs.logits, len(images)), tapped=tapped)

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """Return the autocast context for `precision`."""
        return torch.autocast(device.type, self.precision) if self.precision else nullcontext()

    def forward(self, images: Tensor) -> Outputs:
        """(N, 3, H, W) -> logits and every tapped place, in float32 at least."""
        self._seen = {}
        with self.autocast(images.device):
            computed_in = _autocast(images.device.type)
            try:
                logits = self.model(images)
            finally:
                seen, self._seen = self._seen, None
        for name, (value, version) in seen.items():
            if _version(value) != version:
                raise ValueError(
                    f"{type(self.model).__name__}: the output of {self._places[name]!r} is overwritten in place by a "
                    f"later layer; name that layer followed by ':in' instead"
                )
        missing = self._places.keys() - seen.keys()
        if missing:
            raise ValueError(f"{type(self.model).__name__} never ran {', '.join(sorted(missing))}; name another place")
        # Losses are small differences of large sums, so methods get float32 even if the network ran in less.
        tapped = {name: _at_least_float32(value) for name, (value, _) in seen.items()}
        logits = torch.full_like(logits, torch.nan) if self.foreign_logits else logits
        return Outputs(_at_least_float32(logits), tapped, self, computed_in)


def _version(value: Tensor) -> int:
    return 0 if torch.compiler.is_compiling() or value.is_inference() else value._version


def _autocast(device: str) -> torch.dtype | None:
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None


def _at_least_float32(value: Tensor) -> Tensor:
    return value.float() if value.dtype in (torch.bfloat16, torch.float16) else value


@torch.no_grad()
def probe(net: Tapped, image_size: int) -> Outputs:
    """Return the outputs for two images of noise, in eval mode: methods are built for their shapes.

    Raises:
        ValueError: If the network cannot take images of this size.
    """
    parameter = next(net.parameters())
    noise = torch.randn(2, 3, image_size, image_size, generator=stream(0, "probe"))  # blank ones would hide much
    images = noise.to(parameter)
    precision, net.precision = net.precision, None  # methods check the outputs closely
    try:
        with in_eval_mode(net):
            outputs: Outputs = net(images)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"{type(net.model).__name__} cannot take images of {image_size} x {image_size} px ({reason}); "
            f"choose another network or another --image_size"
        ) from error
    finally:
        net.precision = precision
    if outputs.logits.ndim != 2:
        raise ValueError(
            f"{type(net.model).__name__} returns {tuple(outputs.logits.shape)} for two images; "
            f"a classifier returns (2, number of classes)"
        )
    return outputs

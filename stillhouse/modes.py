"""Context managers that put modules in eval mode for a while, or restore their state."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def in_eval_mode(*modules: nn.Module) -> Iterator[None]:
    """Put modules in eval mode within the block, and afterwards restore the mode of every submodule."""
    modes = {part: part.training for module in modules for part in module.modules()}
    try:
        for module in modules:
            module.eval()
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


@contextmanager
def unchanged(module: nn.Module) -> Iterator[None]:
    """Restore all parameters and buffers after the block; those in the state dict are copied to the CPU meanwhile."""
    state = {name: value.to("cpu", copy=True) for name, value in module.state_dict().items()}
    unsaved = {name: buffer for name, buffer in module.named_buffers() if name not in state}
    values = [buffer.clone() for buffer in unsaved.values()]
    try:
        yield
    finally:
        module.load_state_dict(state)
        for buffer, value in zip(unsaved.values(), values, strict=True):
            buffer.copy_(value)

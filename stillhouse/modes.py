"""Eval mode for a while, and the modes of before afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def in_eval_mode(*modules: nn.Module) -> Iterator[None]:
    """Put every module in eval mode inside, and afterwards each back in the mode it had, also where these differ."""
    modes = {part: part.training for module in modules for part in module.modules()}
    try:
        for module in modules:
            module.eval()
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode

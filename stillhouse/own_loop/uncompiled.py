"""Functions that torch.compile leaves alone, so that of a `Distiller` it compiles both networks and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch

F = TypeVar("F", bound=Callable[..., Any])


def uncompiled(function: F) -> F:
    """Run a function as it is, with everything that it calls.

    Losses depend on the step and draw random numbers, so each step would be compiled anew.
    """
    return cast(F, torch.compiler.disable(function))  # type: ignore[no-untyped-call] # in PyTorch


def calls_compiled(function: F) -> F:
    """Run a function as it is; functions that it calls are compiled."""
    return cast(F, torch.compiler.disable(function, recursive=False))  # type: ignore[no-untyped-call] # in PyTorch

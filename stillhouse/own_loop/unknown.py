"""Stand-ins for what a loop does not know about its images: they refuse to be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


class Unknown(Tensor):
    """A tensor that can be passed on, but raises a ValueError when anything is computed from it."""

    way_out: str

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kind = next(one for one in types if issubclass(one, Unknown))
        raise ValueError(kind.way_out)


class UnknownIndices(Unknown):
    """Indices of images whose position in the training set the loop did not tell."""

    way_out = (
        "a method of this student remembers each training image, and the loop does not say which images these are; "
        "pass indices, (N,) positions in the training set"
    )


class UnknownLabels(Unknown):
    """Labels of images that are mixed, or whose labels are not classes."""

    way_out = (
        "a method of this student compares labels, and mixed images have no single one; leave the mixing out, or "
        "compute the loss of the labels yourself and keep methods that read the teacher only, such as KD and AT"
    )


def unknown(kind: type[Unknown]) -> Tensor:
    """Return a tensor that raises this kind's sentence when it is read."""
    return torch.empty(0).as_subclass(kind)

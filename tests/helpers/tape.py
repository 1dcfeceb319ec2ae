"""A graph for CPUs that is one: it records operations, and replays them on the tensors of the recording.

Unlike the stand-in it runs no Python again. So numbers, and whatever else is no tensor, are constants of it, as they
are of CUDA's, and recording leaves no mark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

Operation = tuple[Any, tuple[Any, ...], dict[str, Any], object]  # what, on what, what came out


class Tape:
    """See above; it is a `Graph`."""

    warm_up = 1

    def __init__(self) -> None:
        self.operations: list[Operation] | None = None

    def beside(self) -> AbstractContextManager[object]:
        return nullcontext()

    def capture(self, work: Callable[[], None]) -> None:
        with Recording() as recording:
            work()
        self.operations = recording.operations

    def replay(self) -> None:
        assert self.operations is not None
        replay(self.operations)

    def join(self) -> None: ...


@torch.no_grad()
def replay(operations: Iterable[Operation]) -> None:
    for func, args, kwargs, made in operations:
        outputs = func(*args, **kwargs)
        if not func._schema.is_mutable:
            for old, new in zip(tensors(made), tensors(outputs), strict=True):
                old.copy_(new)


def tensors(*values: object) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor))


def key(tensor: Tensor) -> int:
    number: int = tensor.untyped_storage()._cdata
    return number


class Recording(TorchDispatchMode):  # type: ignore[no-untyped-call] # in PyTorch
    """Notes what is done inside, and undoes it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # in PyTorch
        self.operations: list[Operation] = []
        self._before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}
        self._made: set[int] = set()

    def __enter__(self) -> Recording:
        self._random = torch.get_rng_state()
        super().__enter__()  # type: ignore[no-untyped-call] # in PyTorch
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call] # in PyTorch
        torch.set_rng_state(self._random)
        for storage, before in self._before.values():
            storage.copy_(before)

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        inputs = {key(tensor): tensor for tensor in tensors(args, kwargs or {})}
        for storage, tensor in inputs.items():
            if storage not in self._made and storage not in self._before:
                whole = tensor.untyped_storage()
                self._before[storage] = whole, whole.clone()  # type: ignore[no-untyped-call] # in PyTorch
        outputs = func(*args, **(kwargs or {}))
        made = {key(tensor) for tensor in tensors(outputs)} - inputs.keys()
        self._made |= made
        if made or (func._schema.is_mutable and torch.Tag.inplace_view not in func.tags):  # more than a view
            as_it_is = tree_map_only(Tensor, Tensor.detach, (args, kwargs or {}, outputs))
            self.operations.append((func, *as_it_is))
        return outputs

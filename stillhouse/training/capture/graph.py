"""Graphs: work that is recorded once and repeated on the same tensors. On a GPU CUDA's, elsewhere a stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import fields, is_dataclass, replace
from typing import Any, Protocol, TypeVar, cast

import torch
from torch import Tensor

T = TypeVar("T")


class Graph(Protocol):
    """Work that reads and writes tensors which stay where they are.

    Attributes:
        warm_up: How often the work has to be done without the graph before it is captured.
    """

    warm_up: int

    def beside(self) -> AbstractContextManager[object]:
        """In which work is done beside that of other graphs, until `join`; also what comes before the capture."""

    def capture(self, work: Callable[[], None]) -> None:
        """Record work, without doing it."""

    def replay(self) -> None:
        """Do the work that was recorded."""

    def join(self) -> None:
        """Let whatever comes next wait for what was done beside it."""


class RepeatedCalls:
    """A stand-in for devices without graphs: it calls the work again, on the same tensors."""

    warm_up = 1

    def __init__(self) -> None:
        self._work: Callable[[], None] | None = None

    def beside(self) -> AbstractContextManager[object]:
        return nullcontext()

    def capture(self, work: Callable[[], None]) -> None:
        self._work = work

    def replay(self) -> None:
        assert self._work is not None
        self._work()

    def join(self) -> None: ...


class CUDAGraph:
    """CUDA's graphs, each on a stream of its own, so that several run beside each other.

    Each has random numbers of its own, which go on from where the default generator is before a replay. In PyTorch 2.11
    (no longer in 2.14) a generator keeps the seed that its graphs read in one place: sharing it, a graph would read the
    seed of the one launched after it, and a capture that failed would leave the default generator unusable.
    """

    warm_up = 3  # cuDNN and the allocator settle meanwhile

    def __init__(self) -> None:
        self._graph, self._stream = _new_graph(), torch.cuda.Stream()  # type: ignore[no-untyped-call] # in PyTorch
        self._random = _default_generator().clone_state()

    @contextmanager
    def beside(self) -> Iterator[None]:
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream), _fixed_shapes():
            yield

    def capture(self, work: Callable[[], None]) -> None:
        # Other threads, such as those that pin memory for a data loader, may go on meanwhile.
        graph = torch.cuda.graph(self._graph, stream=self._stream, capture_error_mode="thread_local")
        try:
            with self._own_random_numbers(), _fixed_shapes(), graph:
                work()
        except RuntimeError:
            self._graph = _new_graph()  # the half-made one frees what it holds
            raise

    def replay(self) -> None:
        self._random.set_state(_default_generator().get_state())
        self._graph.replay()

    def join(self) -> None:
        torch.cuda.current_stream().wait_stream(self._stream)

    @contextmanager
    def _own_random_numbers(self) -> Iterator[None]:
        default = _default_generator()
        shared = default.graphsafe_get_state()
        default.graphsafe_set_state(self._random)
        try:
            yield
        finally:
            default.graphsafe_set_state(shared)


def _new_graph() -> torch.cuda.CUDAGraph:
    return torch.cuda.CUDAGraph()


def _default_generator() -> torch.Generator:
    """Return what random numbers on the present GPU are drawn from where no generator is named."""
    return torch.cuda.default_generators[torch.cuda.current_device()]


@contextmanager
def _fixed_shapes() -> Iterator[None]:
    """Let cuDNN look for the fastest algorithm for shapes that stay, unless it must be deterministic."""
    before = torch.backends.cudnn.benchmark
    must_repeat = torch.backends.cudnn.deterministic or torch.are_deterministic_algorithms_enabled()
    torch.backends.cudnn.benchmark = before or not must_repeat
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def like(value: T) -> T:
    """Return a batch, outputs or a tensor whose tensors are new ones of the same layout, holding nothing yet."""
    return _mapped(value, _empty_like)


@torch.no_grad()
def fill(kept: object, new: object) -> None:
    """Copy the tensors of one batch, outputs or tensor into those of another one like it."""
    targets, sources = [*_tensors(kept)], [*_tensors(new)]
    assert [target.shape for target in targets] == [source.shape for source in sources]
    for target, source in zip(targets, sources, strict=True):
        target.copy_(source, non_blocking=True)


def _empty_like(tensor: Tensor) -> Tensor:
    if 0 in tensor.stride():  # several elements are one number
        return torch.empty(tensor.shape, dtype=tensor.dtype, device=tensor.device)
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device)


def _mapped(value: T, change: Callable[[Tensor], Tensor]) -> T:
    if isinstance(value, Tensor):
        return cast(T, change(value))
    if isinstance(value, Mapping):
        return cast(T, {key: _mapped(part, change) for key, part in value.items()})
    if is_dataclass(value) and not isinstance(value, type):
        changed: dict[str, Any] = {f.name: _mapped(getattr(value, f.name), change) for f in fields(value)}
        return cast(T, replace(value, **changed))
    return value


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _tensors(getattr(value, field.name))

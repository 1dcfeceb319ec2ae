"""Graphs: work that is recorded once and replayed on the same tensors. CUDA's on a GPU, a stand-in elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import fields, is_dataclass, replace
from typing import Any, Protocol, TypeVar, cast

import torch
from torch import Tensor

T = TypeVar("T")


class Graph(Protocol):
    """Work that reads and writes tensors at fixed addresses.

    Attributes:
        warm_up: Number of times that the work must be done without the graph before it is captured.
    """

    warm_up: int

    def beside(self) -> AbstractContextManager[object]:
        """Run work concurrently with that of other graphs, until `join`; for the steps before the capture as well."""

    def capture(self, work: Callable[[], None]) -> None:
        """Record work without doing it."""

    def replay(self) -> None:
        """Do the recorded work."""

    def join(self) -> None:
        """Make later work wait for the concurrent work."""


class RepeatedCalls:
    """A stand-in for devices without graphs: it calls the work again on the same tensors."""

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
    """A CUDA graph on its own stream, so that several graphs run concurrently.

    Each has its own random numbers, which continue from the state of the default generator before a replay. In PyTorch
    2.11 (no longer in 2.14) a generator stores the seed for all of its graphs in one place. With a shared generator a
    graph would read the seed of the graph launched after it, and a failed capture would make the default generator
    unusable.
    """

    warm_up = 3  # until cuDNN and the allocator have settled

    def __init__(self) -> None:
        self._graph, self._stream = _new_graph(), torch.cuda.Stream()  # type: ignore[no-untyped-call] # in PyTorch
        self._random = _default_generator().clone_state()

    @contextmanager
    def beside(self) -> Iterator[None]:
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream), _fixed_shapes():
            yield

    def capture(self, work: Callable[[], None]) -> None:
        # Other threads, such as those that pin memory for a data loader, may continue during the capture.
        graph = torch.cuda.graph(self._graph, stream=self._stream, capture_error_mode="thread_local")
        try:
            with self._own_random_numbers(), _fixed_shapes(), graph:
                work()
        except RuntimeError:
            self._graph = _new_graph()  # the unfinished one frees its memory
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
    """Return the default random number generator of the present GPU."""
    return torch.cuda.default_generators[torch.cuda.current_device()]


@contextmanager
def _fixed_shapes() -> Iterator[None]:
    """Let cuDNN search for the fastest algorithm for fixed shapes, unless it must be deterministic."""
    before = torch.backends.cudnn.benchmark
    must_repeat = torch.backends.cudnn.deterministic or torch.are_deterministic_algorithms_enabled()
    torch.backends.cudnn.benchmark = before or not must_repeat
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def like(value: T) -> T:
    """Return a copy of a batch, outputs or a tensor with new, uninitialised tensors of the same layout."""
    return _mapped(value, _empty_like)


@torch.no_grad()
def fill(kept: object, new: object) -> None:
    """Copy the tensors of a batch, outputs or a tensor into those of another one made by `like`."""
    targets, sources = [*_tensors(kept)], [*_tensors(new)]
    assert [target.shape for target in targets] == [source.shape for source in sources]
    for target, source in zip(targets, sources, strict=True):
        target.copy_(source, non_blocking=True)


def _empty_like(tensor: Tensor) -> Tensor:
    if 0 in tensor.stride():  # several elements share one number
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

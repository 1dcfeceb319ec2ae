"""A GPU that is none: streams, graphs and generators with CUDA's rules, on the CPU, where each race is found.

Operations are computed at once, in Python's order. Beside that, a clock for each stream says what is certain to have
happened before what on a GPU: an operation knows of those before it in its stream, and of those of other streams that
its own has waited for. Two that touch the same memory, one of them writing, and do not know of each other are a race.
So is memory that its stream may give to others while another stream still uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from .tape import Operation, Recording, key, replay, tensors


class Stream:
    """Of the present GPU."""

    def __init__(self) -> None:
        self.knows: dict[Stream, int] = {self: 0}  # how much of each stream is certain to have happened
        if _present:
            self.learn_from(gpu().host)

    def wait_stream(self, other: Stream) -> None:
        gpu().forget_the_dead()
        self.learn_from(other)

    def learn_from(self, other: Stream) -> None:
        for stream, time in other.knows.items():
            self.knows[stream] = max(time, self.knows.get(stream, 0))

    def knows_of(self, stream: Stream, time: int) -> bool:
        return self.knows.get(stream, 0) >= time


@dataclass
class Memory:
    """Who has used it, and when."""

    home: Stream  # that it came from and returns to
    alive: StorageWeakRef
    written: tuple[Stream, int]
    used: dict[Stream, int]


class GPU(TorchDispatchMode):  # type: ignore[no-untyped-call] # in PyTorch
    """Looks at all operations; `races` says what is wrong."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # in PyTorch
        self.host = Stream()  # knows what it has waited for, and so do all operations after that
        self.stream = self.main = Stream()
        self.is_capturing = False
        self.races: list[str] = []
        self.replays = 0
        self.generator = Generator()
        self.seed: Tensor | None = None  # that the running graph reads
        self._memory: dict[int, Memory] = {}

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        outputs = func(*args, **(kwargs or {}))
        if self.is_capturing:
            return outputs
        if func.overloadpacket.__name__ == "_local_scalar_dense":
            self.host.wait_stream(self.stream)
        self.stream.learn_from(self.host)
        self.stream.knows[self.stream] += 1
        written, name = set(map(key, _written(func, args, kwargs or {}))), func.overloadpacket.__name__
        for value in tensors(args, kwargs or {}):
            self._touch(value, key(value) in written, name)
        if self.seed is not None and torch.Tag.nondeterministic_seeded in func.tags:
            self._touch(self.seed, False, name)
        for value in tensors(outputs):
            if key(value) not in self._memory:
                self._know(value, self.stream)
        return outputs

    def _know(self, value: Tensor, home: Stream) -> Memory:
        alive = StorageWeakRef(value.untyped_storage())  # type: ignore[no-untyped-call] # in PyTorch
        found = Memory(home, alive, (home, home.knows[home]), {home: home.knows[home]})
        self._memory[key(value)] = found
        return found

    def _touch(self, value: Tensor, writes: bool, name: str) -> None:
        here = self.stream
        memory = self._memory.get(key(value)) or self._know(value, self.main)  # made before there was this GPU
        others = [memory.written, *(memory.used.items() if writes else ())]
        if not all(here.knows_of(*other) for other in others):
            self.races.append(f"{name} {'writes' if writes else 'reads'} {tuple(value.shape)} without waiting")
        memory.used[here] = here.knows[here]
        if writes:
            memory.written = here, here.knows[here]

    def forget_the_dead(self) -> None:
        """Look at memory that nobody holds any more; before a stream waits, for then it knows more."""
        known = self._memory.items()
        dead = [number for number, one in known if one.alive.expired()]  # type: ignore[no-untyped-call] # in PyTorch
        for memory in map(self._memory.pop, dead):
            memory.home.learn_from(self.host)
            if not all(memory.home.knows_of(*one) for one in memory.used.items()):
                self.races.append("memory is given away while another stream uses it")


def _written(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Tensor]:
    """Arguments that an operation changes."""
    for i, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            yield from tensors(args[i] if i < len(args) else kwargs.get(argument.name))
    if func.overloadpacket.__name__ == "native_batch_norm" and args[5]:  # training
        yield from tensors(args[3:5])


class Generator:
    """CUDA's default one, as it is up to PyTorch 2.11: all graphs of one state read the seed from one place."""

    def __init__(self) -> None:
        self.state = torch.zeros(1)

    def manual_seed(self, seed: int) -> Generator:
        return self  # PyTorch calls it where there is a real GPU; numbers are the host's here

    def clone_state(self) -> Generator:
        return Generator()

    def graphsafe_get_state(self) -> Generator:
        held = Generator()
        held.state = self.state
        return held

    def graphsafe_set_state(self, other: Generator) -> None:
        self.state = other.state

    def get_state(self) -> bytes:
        with _disable_current_modes():  # it is the host's
            return torch.get_rng_state().numpy().tobytes()

    def set_state(self, state: bytes) -> None:
        assert state == self.get_state()  # from which graphs draw here


class CUDAGraph:
    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.seed: Tensor | None = None

    def replay(self) -> None:
        assert self.seed is not None
        self.seed.fill_(0)
        gpu().replays += 1
        gpu().seed = self.seed
        try:
            replay(self.operations)
        finally:
            gpu().seed = None


@contextmanager
def graph(recording: CUDAGraph, stream: Stream, capture_error_mode: str) -> Iterator[None]:
    assert stream is not gpu().main
    assert gpu().seed is None
    recording.seed, gpu().is_capturing = gpu().generator.state, True
    try:
        with on(stream), Recording() as recorded:
            yield
    finally:
        gpu().is_capturing = False
    recording.operations = recorded.operations


@contextmanager
def on(stream: Stream) -> Iterator[None]:
    before, gpu().stream = gpu().stream, stream
    try:
        yield
    finally:
        gpu().stream = before


_present: list[GPU] = []


def gpu() -> GPU:
    return _present[-1]


@contextmanager
def fake_cuda() -> Iterator[GPU]:
    """Let what is called in `torch.cuda` to capture graphs be this GPU's."""
    fake = GPU()
    _present.append(fake)
    names = {"Stream": Stream, "CUDAGraph": CUDAGraph, "graph": graph, "stream": on}
    names |= {"current_stream": lambda: fake.stream, "current_device": lambda: 0}
    try:
        with ExitStack() as stack:
            for name, value in names.items():
                stack.enter_context(patch.object(torch.cuda, name, value))
            stack.enter_context(patch.object(torch.cuda, "default_generators", (fake.generator,)))
            stack.enter_context(fake)
            yield fake
    finally:
        _present.pop()

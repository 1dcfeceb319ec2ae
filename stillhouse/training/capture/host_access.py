"""Detection of host access in a training step: anything that would prevent a CUDA graph is found on any device.

A graph replays kernels with the addresses and numbers of the captured step. So a step must not read a number back, make
tensors whose shapes depend on values, copy from or to the host, or draw from generators of its own. Nor may it read
numbers that change from step to step, because they would be constants of the graph.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from ...batch import Batch

_TO_HOST = {"tolist", "numpy", "cpu", "__array__", "__dlpack__"}
_FROM_HOST = {"tensor", "as_tensor", "asarray", "from_numpy", "frombuffer", "new_tensor"}
_FACTORIES = {"zeros", "ones", "full", "empty", "arange", "linspace", "eye", "rand", "randn", "randint", "randperm"}
_WAITING = {"_linalg_svd", "_linalg_eigh", "linalg_eig", "linalg_lstsq", "_linalg_check_errors"}
_INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index", "_unsafe_index_put"}


class NotCapturable(Exception):  # noqa: N818 (such a step is correct, and runs eagerly)
    """A step cannot be captured; the message says why."""


@contextmanager
def host_access() -> Iterator[list[str]]:
    """Yield a list that collects each use of the host inside the block: "it reads a number back (at.py, line 7)".

    On a GPU, waiting for the device also raises an error, because some kernels that wait look like any other from here.
    The block then ends there. Compiled networks run uncompiled: PyTorch 2.11 cannot compile what runs under a dispatch
    mode, and would not compile it later either.
    """
    found: list[str] = []
    uncompiled = torch.compiler.set_stance("force_eager")
    with uncompiled, _waiting_refused(found), _Operations(found) as operations, _Calls(found, operations):
        yield found


@contextmanager
def _waiting_refused(found: list[str]) -> Iterator[None]:
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call] # in PyTorch
        yield
        return
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Synchronization debug mode")  # it is a prototype, says PyTorch
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    except RuntimeError as error:
        if "synchronizing CUDA operation" not in str(error):
            raise
        found.append("it waits for the device")  # unless already found, with its location
    finally:
        torch.cuda.set_sync_debug_mode(before)


def what_python_holds(net: nn.Module) -> dict[str, object]:
    """Return the state that a replay would not change: the identity of a network's tensors, and other attributes."""
    return {
        f"{path}.{name}".lstrip("."): _comparable(value)
        for path, module in net.named_modules()
        for name, value in {**vars(module), **module._buffers, **module._parameters}.items()
        if name not in ("_buffers", "_parameters", "_modules")
    }


def _comparable(value: object, depth: int = 3) -> object:
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    if isinstance(value, Tensor):
        return id(value), value.data_ptr()
    if isinstance(value, Mapping):
        inside = [*value, *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        inside = [*value]
    else:
        is_module = isinstance(value, (nn.Module, type))
        inside = [] if is_module else [*getattr(value, "__dict__", {}).values()]
    return id(value), len(inside), *(_comparable(part, depth - 1) for part in inside[:100] if depth)


class Withheld:
    """A number that changes from step to step, which a captured step must not read.

    Args:
        name: Its name in the message when it is read.
    """

    def __init__(self, name: str):
        self.name = name


def _refuse(self: Withheld, *_: object) -> Any:
    raise NotCapturable(_placed(f"it reads {self.name}, which would be a constant of the graph"))


for _operator in (
    *("__index__", "__int__", "__float__", "__bool__", "__format__", "__str__", "__neg__", "__abs__", "__round__"),
    *("__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__", "__hash__", "__mod__", "__rmod__", "__pow__"),
    *("__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__", "__truediv__", "__rtruediv__"),
    *("__floordiv__", "__rfloordiv__", "__divmod__", "__floor__", "__ceil__", "__trunc__", "__rpow__"),
):
    setattr(Withheld, _operator, _refuse)


def withheld(batch: Batch) -> Batch:
    """Return a batch whose numbers that change from step to step raise `NotCapturable` when they are read."""
    numbers: dict[str, Any] = {name: Withheld(f"batch.{name}") for name in ("epoch", "step", "seed")}
    return replace(batch, **numbers)


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call] # in PyTorch
    """Check every operation, including those of the backward pass."""

    def __init__(self, found: list[str]):
        super().__init__()  # type: ignore[no-untyped-call] # in PyTorch
        self.found = found
        self.is_constant_welcome = False  # a[i] = 1.0 fills on the device
        self.is_checking = False  # only on a CPU, as in `one_hot`

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        what = self._asks(func, func.overloadpacket.__name__, args, kwargs or {})
        if what:
            _note(self.found, what)
        return func(*args, **(kwargs or {}))

    def _asks(self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        if name == "_local_scalar_dense":
            return None if self.is_checking else "it reads a number back"
        if name == "lift_fresh":
            return None if self.is_constant_welcome else "it copies numbers from the host"
        if name in _INDEXING:
            masks = [index for index in args[1] if index is not None and index.dtype in (torch.bool, torch.uint8)]
            return "it selects elements by a mask, so their number depends on values" if masks else None
        if name in _WAITING:
            return f"{name.strip('_')} waits for the device"
        if kwargs.get("generator") is not None:
            return "it draws random numbers inside the step"
        if torch.Tag.data_dependent_output in func.tags or torch.Tag.dynamic_output_shape in func.tags:
            return f"what {name.strip('_')} returns depends on values"
        return None


class _Calls(TorchFunctionMode):
    """Check calls that leave no trace among the operations while all tensors are on the CPU."""

    def __init__(self, found: list[str], operations: _Operations):
        super().__init__()
        self.found, self.operations = found, operations

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        if name in _TO_HOST or (name == "to" and "cpu" in args[1:]):
            _note(self.found, "it copies to the host")
        elif name in _FACTORIES and "device" not in kwargs and kwargs.get("out") is None:
            _note(self.found, f"torch.{name} without device=... makes a tensor on the host")
        self.operations.is_constant_welcome = name == "__setitem__" and isinstance(args[2], (int, float))
        self.operations.is_checking = name == "one_hot" and (args[1:] or (kwargs.get("num_classes", -1),))[0] > 0
        try:
            return func(*args, **kwargs)
        finally:
            self.operations.is_constant_welcome = self.operations.is_checking = False


def _note(found: list[str], what: str) -> None:
    if (placed := _placed(what)) not in found:
        found.append(placed)


def _placed(what: str) -> str:
    """Return the finding with its line of code, the innermost one that is not PyTorch's."""
    own, torch_itself = Path(__file__), Path(torch.__file__).parent
    frame = sys._getframe(1)
    while frame.f_back and (
        Path(frame.f_code.co_filename) == own or torch_itself in Path(frame.f_code.co_filename).parents
    ):
        frame = frame.f_back
    return f"{what} ({Path(frame.f_code.co_filename).name}, line {frame.f_lineno})"

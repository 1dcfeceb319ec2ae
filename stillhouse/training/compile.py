"""Faster steps with the same results."""

import ctypes
from collections.abc import Callable
from dataclasses import replace

import torch

from .. import distributed
from ..taps import Outputs, Tapped
from .classroom import Classroom

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
_LARGE = 1 << 30  # bytes
_MOST_NETWORKS = 128  # compiled in one process, each for two sizes of batches at most


def keep_large_blocks() -> None:
    """Let glibc keep the memory of large activations between steps, instead of mapping it again each time."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _LARGE)


def compile_classroom(
    classroom: Classroom,
    device: str = "cpu",
    graphs: bool = True,
    backend: str = "inductor",
    say: Callable[[str], None] = print,
) -> str | None:
    """Compile the teacher, with its BatchNorms folded into its convolutions, and on a GPU each student.

    The results stay the same up to rounding; the first step takes half a minute longer. On a CPU compiled students were
    no faster, and some slower. Losses are not compiled: many depend on the epoch or draw random numbers, for which a
    graph would be compiled again. Each network is compiled as a whole, or runs uncompiled.

    Args:
        device: The device that the classroom will be on.
        graphs: On a GPU, capture the compiled networks as CUDA graphs, each launched in one piece.
        say: Called with a sentence for each network that turns out, in its first step, to run uncompiled.

    Returns:
        The reason if it cannot be done, in which case the classroom is unchanged; else None.
    """
    why_not = _cannot_compile(backend)
    if why_not:
        return f"not compiled: {why_not}"
    classroom.replays = graphs and device == "cuda"
    options = {"triton.cudagraphs": True} if classroom.replays else {}
    if classroom.teacher is not None:
        classroom.teacher.eval().requires_grad_(False).compile(
            backend=backend, dynamic=False, fullgraph=True, options=options or None
        )
        _guard(classroom.teacher, "the teacher", say, freezing=True)
    for trainer in classroom.trainers if device == "cuda" else ():
        trainer.phases = [replace(phase, trunk=()) for phase in trainer.phases]  # one backward pass a step is compiled
        student = trainer.distillation.student
        student.compile(backend=backend, dynamic=False, fullgraph=True, options=options or None)
        _guard(student, trainer.name, say)
    return None


def _guard(net: Tapped, name: str, say: Callable[[str], None], freezing: bool = False) -> None:
    """Let a network that cannot be compiled run uncompiled, and one of many be compiled like the first.

    Args:
        freezing: Make weights constants in the code that a call compiles; as an option of torch.compile this has no
            effect.
    """
    from torch._dynamo import config as dynamo  # takes a second
    from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException
    from torch._inductor import config as inductor

    compiled = net._compiled_call_impl or net._call_impl

    def call(*args: object, **options: object) -> Outputs:
        try:
            # All networks count towards one limit, because PyTorch enters them through the same function.
            with dynamo.patch(recompile_limit=_MOST_NETWORKS), inductor.patch(freezing=freezing):
                outputs: Outputs = compiled(*args, **options)
        except (TorchDynamoException, FailOnRecompileLimitHit) as error:  # raised before anything is computed
            net._compiled_call_impl = None
            say(f"{name} is not compiled: {_first_line(error)}")
            outputs = net(*args, **options)
        return outputs

    net._compiled_call_impl = call


def _cannot_compile(backend: str) -> str | None:
    """Try to compile one addition, and return the obstacle if there is one, such as a missing C++ compiler."""
    if distributed.world_size() > 1:
        return "several processes train together"
    try:
        torch.compile(lambda x: x + 1, backend=backend)(torch.zeros(2))
    except Exception as error:  # for any error: eager mode still works
        return _first_line(error)
    finally:
        torch.compiler.reset()
    return None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]

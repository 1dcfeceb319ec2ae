"""Faster steps with the same results."""

import ctypes
from collections.abc import Callable

import torch

from .. import distributed
from ..taps import Outputs
from .classroom import Classroom

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
_LARGE = 1 << 30  # bytes


def keep_large_blocks() -> None:
    """Let glibc keep the memory of large activations between steps, instead of mapping it again each time."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _LARGE)


def compile_classroom(
    classroom: Classroom, device: str = "cpu", graphs: bool = True, backend: str = "inductor"
) -> str | None:
    """Compile the teacher, with its BatchNorms folded into its convolutions, and on a GPU each student.

    The results stay the same up to rounding; the first step takes half a minute longer. On a CPU compiled students were
    no faster, and some slower. Losses are not compiled: many depend on the epoch or draw random numbers, for which a
    graph would be compiled again.

    Args:
        device: The device that the classroom will be on.
        graphs: On a GPU, capture the compiled networks as CUDA graphs, each launched in one piece.

    Returns:
        The reason if it cannot be done, in which case the classroom is unchanged; else None.
    """
    why_not = _cannot_compile(backend)
    if why_not:
        return f"not compiled: {why_not}"
    classroom.replays = graphs and device == "cuda"
    options = {"triton.cudagraphs": True} if classroom.replays else {}
    if classroom.teacher is not None:
        classroom.teacher.eval().requires_grad_(False).compile(backend=backend, dynamic=False, options=options or None)
        compiled = classroom.teacher._compiled_call_impl
        classroom.teacher._compiled_call_impl = compiled and _frozen(compiled)
    for trainer in classroom.trainers if device == "cuda" else ():
        trainer.distillation.student.compile(backend=backend, dynamic=False, options=options or None)
    return None


def _frozen(call: Callable[..., Outputs]) -> Callable[..., Outputs]:
    """Make weights constants in the code that a call compiles; as an option of torch.compile this has no effect."""
    from torch._inductor import config  # takes a second

    def frozen(*args: object, **options: object) -> Outputs:
        with config.patch(freezing=True):
            return call(*args, **options)

    return frozen


def _cannot_compile(backend: str) -> str | None:
    """Try to compile one addition, and return the obstacle if there is one, such as a missing C++ compiler."""
    if distributed.world_size() > 1:
        return "several processes train together"
    try:
        torch.compile(lambda x: x + 1, backend=backend)(torch.zeros(2))
    except Exception as error:  # for any error: eager mode still works
        return (str(error).splitlines() or [type(error).__name__])[0][:200]
    finally:
        torch.compiler.reset()
    return None

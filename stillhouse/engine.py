"""What makes a step faster without changing what it computes."""

import ctypes

import torch

from . import ranks
from .classroom import Classroom

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
_LARGE = 1 << 30  # bytes


def keep_large_blocks() -> None:
    """Lets glibc keep the memory of large activations between steps, instead of mapping it anew each time."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _LARGE)


def compile_room(room: Classroom, backend: str = "inductor") -> str | None:
    """Compiles the teacher, with its BatchNorms folded into its convolutions, and each student.

    What they compute stays the same up to rounding; the first step takes half a minute longer. Losses stay as they are:
    many depend on the epoch or draw numbers, which a graph would be compiled anew for.

    Returns:
        Why it was not done, where it cannot be; the room is as it was then.
    """
    why_not = _cannot_compile(backend)
    if why_not:
        return f"not compiled, for {why_not}"
    if room.teacher is not None:
        options = {"freezing": True} if backend == "inductor" else None
        room.teacher.eval().requires_grad_(False).compile(backend=backend, dynamic=False, options=options)
    for lesson in room.lessons:
        lesson.distillation.student.compile(backend=backend, dynamic=False)
    return None


def _cannot_compile(backend: str) -> str | None:
    """Tries it on one addition: a compiler for the processor may be missing."""
    if ranks.count() > 1:
        return "several processes train together"
    try:
        torch.compile(lambda x: x + 1, backend=backend)(torch.zeros(2))
    except Exception as error:  # whatever it is, the eager way still works
        return (str(error).splitlines() or [type(error).__name__])[0][:200]
    finally:
        torch.compiler.reset()
    return None

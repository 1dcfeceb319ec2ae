"""The first seconds of a command, while PyTorch is imported: Ctrl-C ends it immediately, with a sentence."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def quick_to_end() -> Iterator[None]:
    """End the process with a sentence on Ctrl-C, until `begun` is called.

    An exception would not do, because it can be lost in code that is being imported.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, b"stillhouse: interrupted before it began\n")
    os._exit(2)


def begun() -> None:
    """Let Ctrl-C raise KeyboardInterrupt from now on, because it is now caught."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)

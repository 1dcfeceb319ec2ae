"""The first seconds of a command, while PyTorch is imported: Ctrl-C or SIGTERM ends it immediately, with a sentence."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_COMPILING = "torch.utils.cpp_extension"  # the logger
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def quick_to_end() -> Iterator[None]:
    """End the process with a sentence on Ctrl-C or SIGTERM, until `begun` is called.

    An exception would not do, because it can be lost in code that is being imported.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _end) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, b"stillhouse: interrupted before it began\n")
    os._exit(2)


def begun() -> None:
    """Let both signals raise KeyboardInterrupt from now on, because it is now caught."""
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) is _end:
                signal.signal(number, signal.default_int_handler)


def without_remarks() -> None:
    """Leave out what PyTorch remarks when it compiles beside CUDA's compiler and without a GPU: that there is none."""
    logging.getLogger(_COMPILING).addFilter(_is_worth_reading)


def _is_worth_reading(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("No CUDA runtime is found")

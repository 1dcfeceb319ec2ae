"""Signals that ask a training to stop: it saves and ends, and the same command resumes it."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import AbstractContextManager
from types import FrameType

_OUTPUT = (1, 2)  # file descriptors of stdout and stderr


class Stopped(Exception):  # noqa: N818 (it is not an error)
    """Training was asked to stop and saved everything."""


class StopSignals(AbstractContextManager["StopSignals"]):
    """Turn the first SIGINT, SIGTERM or SIGHUP into a request to stop; a second one interrupts immediately.

    A SIGHUP says that the terminal is gone, so what would be printed there is dropped. Under nohup it stays ignored.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            numbers = [signal.SIGINT, signal.SIGTERM]
            numbers += [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL else []
            for number in numbers:
                self._previous[number] = signal.signal(number, self._request)
        return self

    def _request(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _drop_what_nobody_sees()
        elif self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # what signal.signal returned


def _drop_what_nobody_sees() -> None:
    """Discard output to a terminal that is gone: writing there would fail, and saving must not."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in _OUTPUT:
        try:
            os.write(output, b"")
        except OSError:
            os.dup2(nowhere, output)
    os.close(nowhere)

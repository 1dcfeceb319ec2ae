"""A lost terminal asks a training to stop, like SIGTERM, and what was to be shown there does no harm."""

import os
import pty
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillhouse.training.stop_signals import StopSignals

LOSES_ITS_TERMINAL = """
import pathlib, signal, sys, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from stillhouse.training.stop_signals import StopSignals
with StopSignals() as stop:
    print("ready", flush=True)
    while not stop.requested:
        time.sleep(0.01)
    print("nobody sees this", flush=True)
    pathlib.Path(sys.argv[1]).write_text("saved")
"""


@pytest.fixture(autouse=True)
def sighup_is_heard() -> Iterator[None]:
    """Let tests that run under nohup see SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_ask_to_stop_and_are_given_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopSignals() as stop:
        asked = [stop.requested]
        os.kill(os.getpid(), number)
        assert [*asked, stop.requested] == [False, True]
        if number == signal.SIGHUP:
            os.kill(os.getpid(), number)  # shells send it twice
        else:
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


def test_under_nohup_it_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.requested
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_terminal_that_is_closed_stops_nothing_from_being_saved(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, "-c", LOSES_ITS_TERMINAL, str(saved)])
    assert b"ready" in os.read(terminal, 100)
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert saved.read_text() == "saved"

"""A clock that tests move."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest


class Clock:
    """Time that passes only when something says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)

    def passing(self, seconds: Iterator[float]) -> Callable[[object], None]:
        """Return an action that takes these seconds, one after another."""

        def act(batch: object) -> None:
            self.now += next(seconds)

        return act

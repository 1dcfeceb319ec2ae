"""Progress of something long: a bar on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ...training.progress import Display, duration

PLAIN_EVERY = 60.0  # seconds between two lines without a terminal

Done = Callable[[int], None]


@contextmanager
def counting(display: Display, what: str, total: int) -> Iterator[Done]:
    """Yield a function that is told how many of `total` are done.

    Args:
        what: What is counted, a plural.
    """
    began = last = time.perf_counter()
    first: int | None = None
    is_terminal = display.console.is_terminal
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=display.console, transient=True, disable=not is_terminal) as bar:
        task = bar.add_task(what, total=total)

        def done(count: int) -> None:
            nonlocal first, last
            bar.update(task, completed=count)
            now, first = time.perf_counter(), count if first is None else first
            if now - last > PLAIN_EVERY and not is_terminal:
                last = now
                left = (total - count) * (now - began) / max(count - first, 1)
                display.say(f"{count:,} of {total:,} {what}  {duration(left)} left")

        yield done

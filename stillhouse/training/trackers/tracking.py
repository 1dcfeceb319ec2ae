"""All programs that show a run: TensorBoard where it is installed, others where they are asked for with `--track`.

Nothing that goes wrong in one of the others stops or changes a run: it is said once, and the run goes on without it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...user_code import one_line
from ..run_files import Row
from .programs import TRACKERS, Tracker


def is_installed(name: str) -> bool:
    return importlib.util.find_spec(TRACKERS[name].package) is not None


class Tracking:
    """All trackers of a run, each opened with the first numbers for it.

    Args:
        folder: Of the run.
        config: The content of its `config.yaml`.
        names: Those of `TRACKERS` that were asked for; TensorBoard is taken where it is installed.
        note: Is told what goes wrong, a sentence each.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, object],
        names: Sequence[str] = (),
        note: Callable[[str], object] = str,
    ):
        self._folder, self._config, self._note = folder, config, note
        self._names = [*(["tensorboard"] if is_installed("tensorboard") else []), *names]
        self._open: dict[str, Tracker] = {}

    def add(self, row: Row, before: Callable[[], Sequence[Row]]) -> None:
        """Show the numbers of an epoch, and of those before it that a tracker does not have.

        Args:
            before: Returns the rows of all epochs before.
        """

        def give(tracker: Tracker) -> None:
            missing = before() if tracker.last < row["epoch"] - 1 else []
            _give(tracker, [*missing, row])

        for name in [*self._names]:
            self._guarded(name, row["epoch"], give)

    def finish(self, result: Mapping[str, object], rows: Sequence[Row]) -> None:
        """Show what came out, and what a tracker does not have yet of the run's rows."""

        def end(tracker: Tracker) -> None:
            _give(tracker, rows)
            tracker.finish(result)

        for name in [*self._names]:
            if TRACKERS[name].is_elsewhere:
                self._guarded(name, len(rows) + 1, end)

    def close(self) -> None:
        for name in [*self._open]:
            self._guarded(name, 0, lambda tracker: tracker.close())
        self._open.clear()

    def _guarded(self, name: str, first: int, do: Callable[[Tracker], None]) -> None:
        """Do something with a tracker, and go on without it if that fails."""
        try:
            if name not in self._open:
                self._open[name] = TRACKERS[name](self._folder, self._config, first)
            do(self._open[name])
        except Exception as error:  # other people's programs and servers can fail in any way
            if not TRACKERS[name].is_elsewhere:
                raise
            self._names.remove(name)
            self._open.pop(name, None)
            self._note(f"{name} fails ({one_line(error)}); {self._folder.name} goes on without it")


def _give(tracker: Tracker, rows: Sequence[Row]) -> None:
    """Show the numbers of those epochs that a tracker does not have."""
    for row in rows:
        if row["epoch"] > tracker.last:
            tracker.add(row["epoch"], _numbers(row))


def _numbers(row: Row) -> dict[str, float]:
    return {
        name.replace(".", "/"): value
        for name, value in row.items()
        if isinstance(value, int | float) and name != "epoch"
    }

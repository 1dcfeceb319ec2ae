"""Display of progress: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..spelling import printable
from .run_files import loss_terms

if TYPE_CHECKING:
    from .classroom import Classroom
    from .run_files import Row
    from .student import StudentTrainer

_PLAIN_WIDTH = 160  # of tables in files and pipes
_PLAIN_EVERY = 300.0  # seconds between two lines of a long epoch without a terminal


class _Console(Console):
    """A console that escapes names, so that they cannot control the terminal."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


class Display(AbstractContextManager["Display"]):
    """Shows the progress of the students in a classroom.

    Args:
        quiet: Show nothing.
    """

    def __init__(self, quiet: bool = False):
        self.console = _Console(quiet=quiet, highlight=False, markup=False, emoji=False)
        if not self.console.is_terminal:
            self.console.soft_wrap, self.console.width = True, _PLAIN_WIDTH
        self._noted: set[str] = set()
        self._live: Live | None = None
        self._pace = _Pace()
        self._name_width = 0
        self._last_line = 0.0

    def __enter__(self) -> Display:
        self._pace = _Pace()
        if self.console.is_terminal and not self.console.quiet:
            self._live = Live(console=self.console, transient=True, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(text)

    def note(self, text: str | None) -> None:
        """Print a note that the user should see, if there is one; each note once."""
        if text is not None and text not in self._noted:
            self._noted.add(text)
            self.say(f"note: {text}")

    def resumed(self, trainer: StudentTrainer) -> None:
        step = f", step {trainer.step + 1}" if trainer.step else ""
        self.say(
            f"{trainer.name}: resumes at epoch {trainer.epoch + 1} of {trainer.epochs}{step} ({trainer.run.folder})"
        )

    def epoch(self, room: Classroom, epoch: int, steps: int, start: int = 0) -> None:
        """Show that an epoch of `steps` steps begins, or continues after `start` of them."""
        self._pace.begin(epoch, steps, start)
        self._name_width = max(len(trainer.name) for trainer in room.trainers)
        self._last_line = time.perf_counter()

    def step(self, room: Classroom, done: int) -> None:
        """Show that `done` steps of this epoch are done."""
        long_ago = time.perf_counter() - self._last_line > _PLAIN_EVERY
        if self._live is None and not long_ago:
            return
        self._last_line = time.perf_counter()
        rate, left = self._pace.rate(done), duration(self._pace.left(done, room.epochs))
        words = [f"epoch {self._pace.epoch + 1}/{room.epochs}", f"{done}/{self._pace.steps}", f"{rate:.1f} step/s"]
        words.append(f"{left} left")
        words += [f"teacher cache {100 * room.cache.hit_rate:.0f} %"] if room.cache else []
        losses = {trainer.name: _terms(trainer.meter.means()) for trainer in room.trainers if trainer.step}
        if self._live is None:
            self.say("  ".join([*words, *(f"{name}: {terms}" for name, terms in losses.items())]))
            return
        head, students = Table.grid(padding=(0, 2, 0, 0)), Table.grid(padding=(0, 2, 0, 0))
        head.add_row(words[0], ProgressBar(self._pace.steps, done, width=24), *words[1:])
        for name, terms in losses.items():
            students.add_row(name, terms)
        self._live.update(Group(head, students), refresh=True)

    def row(self, trainer: StudentTrainer, row: Row) -> None:
        """Show that a student has finished an epoch."""
        measured = [f"top-1 {row['top1']:.2f} %"]
        measured += [f"agrees {row['agreement']:.2f} %"] if "agreement" in row else []
        phase = [] if row["phase"] == "distillation" else [f"({row['phase']})"]
        left = duration(self._pace.left(self._pace.steps, trainer.epochs))
        words = [f"{trainer.name:{self._name_width}}", *phase, f"epoch {row['epoch']}/{trainer.epochs}"]
        terms = _terms({name: row[name] for name in loss_terms(row)})
        words += [terms, *measured, f"{row['seconds']:.1f} s", f"{left} left"]
        self.say("  ".join(words))


class _Pace:
    """The speed so far, and the time left at that speed."""

    def __init__(self) -> None:
        self.epoch, self.steps = 0, 1
        self._first: float | None = None  # fractional epoch at which this process began
        self._start = 0  # step at which it began the current epoch
        self._began = self._epoch_began = 0.0

    def begin(self, epoch: int, steps: int, start: int) -> None:
        self._epoch_began = time.perf_counter()
        if self._first is None:
            self._began, self._first = self._epoch_began, epoch + start / steps
        self.epoch, self.steps, self._start = epoch, steps, start

    def rate(self, done: int) -> float:
        """Return steps per second in this epoch."""
        return (done - self._start) / max(time.perf_counter() - self._epoch_began, 1e-9)

    def left(self, done: int, epochs: int) -> float:
        """Return the seconds that the rest of so many epochs will take, evaluations included."""
        assert self._first is not None
        position = self.epoch + done / self.steps
        elapsed = time.perf_counter() - self._began
        return (epochs - position) * elapsed / max(position - self._first, 1e-9)


def _terms(losses: dict[str, float]) -> str:
    return "  ".join(f"{name} {f'{value:#.4g}'.rstrip('.')}" for name, value in losses.items())


def duration(seconds: float) -> str:
    """Return a duration as 1:02:03 or 2:03."""
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

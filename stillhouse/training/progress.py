"""Display of progress: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..spelling import printable, wrapped
from .doctor.findings import told_of
from .epoch_lines import Columns, in_words
from .run_files import loss_terms

if TYPE_CHECKING:
    from .classroom import Classroom
    from .run_files import Row
    from .student import StudentTrainer

_PLAIN_WIDTH = 160  # of tables in files and pipes
_PLAIN_EVERY = 300.0  # seconds between two lines of a long epoch without a terminal
_SHORTEST_BAR, _LONGEST_BAR = 6, 16  # letters


class _Console(Console):
    """A console that escapes names, so that they cannot control the terminal."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


class Display(AbstractContextManager["Display"]):
    """Shows the progress of the students in a classroom.

    Args:
        quiet: Show nothing.
    """

    all_terms = False  # True to show all loss terms of each epoch, not only the largest

    def __init__(self, quiet: bool = False):
        self.console = _Console(quiet=quiet, highlight=False, markup=False, emoji=False)
        if not self.console.is_terminal:
            self.console.soft_wrap, self.console.width = True, _PLAIN_WIDTH
        self._noted: set[str] = set()
        self._live: Live | None = None
        self._pace = _Pace()
        self._plan = _Plan()
        self._columns: Columns | None = None
        self._phases: dict[str, str] = {}  # the latest of each student
        self._last_line = 0.0

    def __enter__(self) -> Display:
        self._pace, self._columns = _Pace(), None
        self._plan.begin_training()
        if self.console.is_terminal and not self.console.quiet:
            self._live = Live(console=self.console, transient=True, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def set_parts(self, seconds: Sequence[float]) -> None:
        """Set the parts of what will be trained, one after another, for the bar: the estimated seconds of each."""
        self._plan = _Plan(seconds)

    def set_share(self, share: float) -> None:
        """Set which share of a part the next training is, where a part's students are trained one after another."""
        self._plan.next_share = share

    def say(self, text: str, style: str = "") -> None:
        """Print a line, on a terminal in a style of Rich; no line break is put into a word, such as a path."""
        lines = wrapped(printable(text), self.console.width, cell_len) if self.console.is_terminal else text
        self.console.print(lines, style=style, soft_wrap=True)

    def paste(self, text: str) -> None:
        """Print a line for copying: a terminal may wrap it, but no line breaks are put into it."""
        self.console.print(text, soft_wrap=True, style="bold")

    def note(self, text: str | None) -> None:
        """Print a note that the user should see, if there is one; each note once."""
        if text is not None and text not in self._noted:
            self._noted.add(text)
            self.say(f"note: {text}", style="yellow")

    def resumed(self, trainer: StudentTrainer) -> None:
        step = f", step {trainer.step + 1}" if trainer.step else ""
        self.say(
            f"{trainer.name}: resumes at epoch {trainer.epoch + 1} of {trainer.epochs}{step} ({trainer.run.folder})"
        )

    def epoch(self, room: Classroom, epoch: int, steps: int, start: int = 0) -> None:
        """Show that an epoch of `steps` steps begins, or continues after `start` of them."""
        self._pace.begin(epoch, steps, start)
        if self._columns is None:
            width = self.console.width if self.console.is_terminal else None
            self._columns = Columns.fitting(width, [trainer.name for trainer in room.trainers])
            self._say_headings()
        self._last_line = time.perf_counter()

    def _say_headings(self) -> None:
        assert self._columns is not None
        self.say(self._columns.heading(), style="dim")

    def step(self, room: Classroom, done: int) -> None:
        """Show that `done` steps of this epoch are done."""
        long_ago = time.perf_counter() - self._last_line > _PLAIN_EVERY
        if self._live is None and not long_ago:
            return
        self._last_line = time.perf_counter()
        assert self._columns is not None
        rate, left = self._pace.rate(done), duration(self._left(done, room.epochs))
        words = [f"epoch {self._pace.epoch + 1}/{room.epochs}", f"step {done}/{self._pace.steps}", f"{rate:.1f} step/s"]
        words += [f"{left} left"]
        words += [f"teacher cache {100 * room.cache.hit_rate:.0f} %"] if room.cache else []
        losses = {trainer.name: trainer.meter.means() for trainer in room.trainers if trainer.step}
        if self._live is None:
            self.say("  ".join([*words, *(f"{name}: {in_words(terms)}" for name, terms in losses.items())]))
            return
        share = self._plan.share(self._pace.share(done, room.epochs))
        head = self._bar(share, [f"{100 * share:.0f} %", *words[:2], words[3], *words[4:]])
        at = f"{self._pace.epoch + 1}/{room.epochs}"
        lines = [self._columns.line(name, at, terms, None, None, None, "") for name, terms in losses.items()]
        self._live.update(Group(*(Text(line, no_wrap=True) for line in lines), head), refresh=True)

    def _bar(self, share: float, words: Sequence[str]) -> Table:
        """Return the line of the bar, which is shorter where there is little room; then the last words are left out."""
        line, kept, room = Table.grid(padding=(0, 2, 0, 0)), list(words), self.console.width - 1
        while sum(2 + len(word) for word in kept) + _SHORTEST_BAR > room:
            kept.pop()
        width = min(_LONGEST_BAR, room - sum(2 + len(word) for word in kept))
        line.add_row(ProgressBar(1.0, share, width=width), *kept)
        return line

    def row(self, trainer: StudentTrainer, row: Row) -> None:
        """Show that a student has finished an epoch."""
        assert self._columns is not None
        if row["phase"] != self._phases.get(trainer.name, "distillation"):
            self.say(f"{trainer.name}: {row['phase']} from epoch {row['epoch']} on")
        self._phases[trainer.name] = row["phase"]
        left = duration(self._left(self._pace.steps, trainer.epochs))
        terms = {name: row[name] for name in loss_terms(row)}
        at, agreement = f"{row['epoch']}/{trainer.epochs}", row.get("agreement")
        line = self._columns.line(trainer.name, at, terms, row["top1"], agreement, row["seconds"], left)
        self.say(line, style="" if agreement is None else "cyan")
        if self.all_terms:
            self.say(f"  {in_words(terms)}", style="dim")

    def gradients(self, trainer: StudentTrainer) -> None:
        """Show, once, which share of the gradient each loss term had in a student's first steps."""
        if told := told_of(trainer):
            text, is_warning = told
            self.note(text) if is_warning else self.say(text, style="dim")

    def _left(self, done: int, epochs: int) -> float:
        """Return the seconds that the rest of the plan will take."""
        left = self._pace.left(done, epochs)
        return left + self._plan.after(left, self._pace.share(done, epochs))


class _Plan:
    """Parts that are trained one after another, by their estimated seconds.

    Args:
        seconds: Of each part; without any there is one.
    """

    def __init__(self, seconds: Sequence[float] = ()):
        self._seconds = [max(one, 1e-9) for one in seconds] or [1.0]
        self._part = -1
        self._from, self._to = 0.0, 1.0  # the share of the part that the current training is
        self.next_share = 1.0

    def begin_training(self) -> None:
        """Go on in the part, or to the next one if it is full; what was not foreseen is a part of the last one."""
        if is_full := self._to > 1 - 1e-9:
            self._part = min(self._part + 1, len(self._seconds) - 1)
        self._from = 0.0 if is_full else self._to
        self._to, self.next_share = self._from + self.next_share, 1.0

    def share(self, of_training: float) -> float:
        """Return the share of the whole that is done, given that of the current training."""
        before, of_part = sum(self._seconds[: self._part]), self._from + of_training * (self._to - self._from)
        return (before + of_part * self._seconds[self._part]) / sum(self._seconds)

    def after(self, left: float, of_training: float) -> float:
        """Return the seconds of all to come, if this training is as much slower than estimated as it was so far.

        Args:
            left: Seconds that the rest of this training takes.
            of_training: The share of this training that is done.
        """
        to_come = sum(self._seconds[self._part + 1 :]) + self._seconds[self._part] * max(1 - self._to, 0.0)
        rest = self._seconds[self._part] * (self._to - self._from) * (1 - of_training)
        return to_come * (left / rest if rest > 0 and left > 0 else 1.0)


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

    def share(self, done: int, epochs: int) -> float:
        """Return the share of so many epochs that is done."""
        return min((self.epoch + done / self.steps) / max(epochs, 1), 1.0)

    def left(self, done: int, epochs: int) -> float:
        """Return the seconds that the rest of so many epochs will take, evaluations included."""
        assert self._first is not None
        position = self.epoch + done / self.steps
        elapsed = time.perf_counter() - self._began
        return (epochs - position) * elapsed / max(position - self._first, 1e-9)


def duration(seconds: float) -> str:
    """Return a duration as 1:02:03 or 2:03."""
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

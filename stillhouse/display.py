"""What a person sees while it runs: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from .classroom import Classroom, Lesson
    from .runs import Row

_MEASURES = ("epoch", "phase", "lr", "loss", "top1", "top5", "test_loss", "agreement", "seconds")


class Display(AbstractContextManager["Display"]):
    """Shows how far the students of a room have come.

    Args:
        quiet: Show nothing.
    """

    def __init__(self, quiet: bool = False):
        self.console = Console(quiet=quiet, highlight=False, soft_wrap=True)
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._began = 0.0  # when the first epoch of this process began
        self._first = -1
        self._epoch, self._steps = 0, 1

    def __enter__(self) -> Display:
        self._first = -1
        if self.console.is_terminal and not self.console.quiet:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[status]}"))
            self._progress = Progress(*columns, TimeElapsedColumn(), console=self.console, transient=True)
            self._progress.start()
            self._task = self._progress.add_task("starting", total=None, status="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def say(self, text: str) -> None:
        """A line for people."""
        self.console.print(text, markup=False)

    def resumed(self, lesson: Lesson) -> None:
        done = f"after epoch {lesson.epoch}" + (f" and {lesson.step} steps" if lesson.step else "")
        self.say(f"{lesson.name}: goes on {done} of {lesson.epochs} ({lesson.run.folder})")

    def epoch(self, room: Classroom, epoch: int, steps: int) -> None:
        """An epoch begins."""
        if self._first < 0:
            self._began, self._first = time.perf_counter(), epoch
        self._epoch, self._steps = epoch, steps
        if self._progress is not None:
            what = f"epoch {epoch + 1}/{room.epochs}"
            self._progress.update(self._task, description=what, total=steps, completed=0)

    def step(self, room: Classroom, done: int) -> None:
        """So many steps of this epoch are done."""
        if self._progress is None:
            return
        losses = "  ".join(
            f"{lesson.name}: " + " ".join(f"{n} {v:.3f}" for n, v in lesson.tally.means().items())
            for lesson in room.lessons
            if lesson.step
        )
        fraction = self._epoch + done / self._steps - self._first
        elapsed = time.perf_counter() - self._began
        rate = f"{fraction * self._steps / elapsed:.1f} step/s"
        left = duration((room.epochs - self._first - fraction) * elapsed / fraction)
        self._progress.update(self._task, completed=done, status=f"{done}/{self._steps}  {rate}  {left} left  {losses}")

    def row(self, lesson: Lesson, row: Row) -> None:
        """A student has finished an epoch."""
        names = [name for name in row if name not in _MEASURES and "." not in name]  # METHOD.what is an observation
        terms = "  ".join(f"{name} {row[name]:.4f}" for name in names)
        done = lesson.epoch - self._first
        left = (time.perf_counter() - self._began) / max(done, 1) * (lesson.epochs - lesson.epoch)
        agreement = f"  agrees {row['agreement']:.2f} %" if "agreement" in row else ""
        phase = "" if row["phase"] == "distillation" else f" ({row['phase']})"
        self.say(
            f"{lesson.name}{phase}  epoch {row['epoch']}/{lesson.epochs}  {terms}  top-1 {row['top1']:.2f} %"
            f"{agreement}  {row['seconds']:.1f} s  {duration(left)} left"
        )


def duration(seconds: float) -> str:
    """1:02:03 or 2:03"""
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

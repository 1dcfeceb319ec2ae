"""Steps as graphs: the work of a step is recorded once and then replayed, so that a GPU never waits for Python.

There is a graph for the teacher in each mode that a student needs, and one for each student: its forward and backward
pass, its losses and its update. Graphs read the batch, the teacher's outputs and the tensors that methods prepared at
fixed addresses, which are filled before each step. On a GPU the students' graphs run concurrently.

No step is undone: the first steps of each phase are ordinary steps, which warm up the later capture. Whether a
student's step needs the host is found out on a copy of the student; if so, it trains without a graph beside the others.
So do all students on an epoch's last, smaller batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

import torch

from ... import distributed
from ...batch import Batch
from ...distillation import TeacherMode
from ..classroom import Classroom
from ..student import StudentTrainer
from .graph import CUDAGraph, Graph, RepeatedCalls, fill, like
from .student import CapturedStudent
from .teacher import CapturedTeacher

Use = Literal["auto", "on", "off"]
WORTHWHILE = 2000  # steps; capturing takes as long as a few hundred of them


class Capture:
    """Train the students of a classroom with graphs.

    Args:
        classroom: The teacher and the students, on their device.
        batch_size: Size of the batches that are captured; other batches are trained on without graphs.
        graph: Makes an empty graph.
        say: Called with a sentence for each network that runs without a graph.
    """

    def __init__(self, classroom: Classroom, batch_size: int, graph: Callable[[], Graph], say: Callable[[str], None]):
        self.classroom, self.batch_size, self._graph, self._say = classroom, batch_size, graph, say
        self.students = {trainer: CapturedStudent(trainer, graph, say) for trainer in classroom.trainers}
        self.teachers: dict[TeacherMode, CapturedTeacher] = {}
        self._batch: Batch | None = None  # at a fixed address
        self._batches: Iterator[Batch] = iter(())  # the rest of the epoch
        self._following: Batch | None = None  # the first of them, if already drawn
        self._has_strong = any(trainer.distillation.needs_strong_view for trainer in classroom.trainers)

    def prefetch(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield batches; `train_step` draws the next one early, so that the teacher can already run on it."""
        if self.classroom.cache:  # it looks up several batches at a time
            yield from self.classroom.prefetch(batches)
            return
        self._batches, self._following = batches, None
        while (batch := self._following or next(batches, None)) is not None:
            self._following = None
            yield batch

    def train_step(self, batch: Batch, trainers: Sequence[StudentTrainer]) -> None:
        """Do what `Classroom.train_step` does, with the same results."""
        if len(batch.images) != self.batch_size:
            self.classroom.train_step(batch, trainers)
            return
        batch = self._needed(batch)
        self._batch = self._batch or like(batch)
        fill(self._batch, batch)
        held = replace(self._batch, epoch=batch.epoch, step=batch.step, seed=batch.seed)
        modes = {trainer.distillation.teacher_mode for trainer in trainers}
        outputs = {mode: self._teacher(mode).outputs(held) for mode in modes}
        each = self.classroom.for_each
        each(lambda one: self.students[one].train_step(held, outputs[one.distillation.teacher_mode]), trainers)
        self._following = next(self._batches, None)
        if self._following is not None and len(self._following.images) == self.batch_size:
            for mode in modes:
                self._teacher(mode).run_ahead(self._needed(self._following))
        for trainer in trainers:
            self.students[trainer].join()

    def _needed(self, batch: Batch) -> Batch:
        return self.classroom.laid_out(batch if self._has_strong else replace(batch, strong=None))

    def _teacher(self, mode: TeacherMode) -> CapturedTeacher:
        if mode not in self.teachers:
            self.teachers[mode] = CapturedTeacher(self.classroom, mode, self._graph(), self._say)
        return self.teachers[mode]


def captured(
    classroom: Classroom, batch_size: int, steps: int, device: torch.device, use: Use, say: Callable[[str], None]
) -> Capture | None:
    """Return a `Capture` that trains the classroom with graphs, if that is asked for and worthwhile; else None.

    Args:
        steps: Number of steps that remain.
        use: "auto" captures on a GPU if there are enough steps to pay for it, "on" wherever possible.
        say: Called with a sentence about anything that is not captured.
    """
    on_gpu = device.type == "cuda"
    if use == "off" or (use == "auto" and (not on_gpu or steps < WORTHWHILE)):
        return None
    if distributed.world_size() > 1 or classroom.replays:
        others = (
            "several processes train together"
            if distributed.world_size() > 1
            else "the networks are compiled with graphs of their own"
        )
        say(f"no CUDA graphs of whole steps: {others}")
        return None
    if not on_gpu:
        say("note: no GPU here, so steps are repeated call by call instead of as CUDA graphs: same results, no faster")
    return Capture(classroom, batch_size, CUDAGraph if on_gpu else RepeatedCalls, say)

"""The teacher's part of a captured step."""

from __future__ import annotations

from collections.abc import Callable

from ...batch import Batch
from ...distillation import TeacherMode
from ...taps import Outputs
from ..classroom import Classroom
from .graph import Graph, fill, like
from .host_access import host_access, withheld


class CapturedTeacher:
    """The teacher in one mode: its outputs are always the same tensors, and can be computed one batch ahead.

    Args:
        classroom: Runs the teacher.
        mode: Mode of the teacher.
        graph: An empty graph.
        say: Called with the reason if the teacher runs without a graph.
    """

    def __init__(self, classroom: Classroom, mode: TeacherMode, graph: Graph, say: Callable[[str], None]):
        self.classroom, self.mode, self.graph, self._say = classroom, mode, graph, say
        self.replays = 0
        self._batch: Batch | None = None  # read by the graph
        self._next: Outputs | None = None  # written by the graph
        self._kept: Outputs | None = None  # read by the students
        self._step: int | None = None  # of the batch that `_next` belongs to
        self._is_captured = False
        self._warmed_up = 0
        self._obstacle: str | None = None

    def outputs(self, batch: Batch) -> Outputs | None:
        """Return the outputs for a batch of the captured size; None without a teacher."""
        if self.mode == "none":
            return None
        if batch.step != self._step:
            with self.graph.beside():
                self._run(batch)
        self.graph.join()
        assert self._next is not None
        self._kept = self._kept or like(self._next)
        fill(self._kept, self._next)
        return self._kept

    def run_ahead(self, batch: Batch) -> None:
        """Start on the next batch, if there is a graph."""
        if self._is_captured:
            with self.graph.beside():
                self._run(batch)

    def _run(self, batch: Batch) -> None:
        if (self.classroom.cache and self.mode == "eval") or self._obstacle:
            self._forward(batch)
        elif self._warmed_up < self.graph.warm_up:
            if not self._warmed_up:
                self._look(batch)
            self._forward(batch)
            self._warmed_up += 1
        else:
            self._batch = self._batch or like(batch)
            fill(self._batch, batch)
            self._replay(withheld(self._batch))
        self._step = batch.step

    def _look(self, batch: Batch) -> None:
        with host_access() as found:  # compiled networks run uncompiled here, so their outputs are not used
            self.classroom.teacher_outputs(batch, self.mode)
        if found:
            self._give_up(found[0])

    def _give_up(self, why: str) -> None:
        self._obstacle = why
        self._say(f"the teacher runs without a CUDA graph: {why}")

    def _replay(self, batch: Batch) -> None:
        if not self._is_captured:
            try:
                self.graph.capture(lambda: self._forward(batch))
            except RuntimeError as error:  # nothing has been computed yet
                self._give_up(" ".join(str(error).split())[:200])
                self._forward(batch)
                return
            self._is_captured = True
        self.graph.replay()
        self.replays += 1

    def _forward(self, batch: Batch) -> None:
        outputs = self.classroom.teacher_outputs(batch, self.mode)
        self._next = self._next or like(outputs)
        fill(self._next, outputs)

"""The student's part of a captured step: its forward and backward pass, its losses and its update."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from ...batch import Batch
from ...distillation import Phase
from ...taps import Outputs
from ..student import StudentTrainer
from .graph import Graph, fill, like
from .host_access import NotCapturable, host_access, what_python_holds, withheld


class CapturedStudent:
    """A student whose steps are replayed once its present phase is captured.

    Args:
        trainer: Trainer of the student.
        graph: Makes an empty graph.
        say: Called with the reason if it trains without a graph.
    """

    def __init__(self, trainer: StudentTrainer, graph: Callable[[], Graph], say: Callable[[str], None]):
        self.trainer, self._new_graph, self._say = trainer, graph, say
        self._phase: Phase | None = None
        self._graph = graph()
        self.obstacle: str | None = None  # to a graph of the present phase
        self.replays = 0
        self._held: dict[str, object] = {}  # Python state at the time of the capture

    def train_step(self, batch: Batch, outputs: Outputs | None) -> None:
        """Train for one step; batch and outputs must be the same tensors each time."""
        if (phase := self.trainer.phase_at(self.trainer.epoch)[0]) is not self._phase:
            self._begin(phase, batch, outputs)
        with self._graph.beside():
            if self.obstacle or self._warmed_up < self._graph.warm_up:
                self.trainer.train_step(batch, outputs)
                self._warmed_up += 1
            else:
                self.trainer.train_step(batch, outputs, learn=self._replay)

    def join(self) -> None:
        self._graph.join()

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Let a step in the block take memory that is not shared with other students' steps, as its graph will."""
        with self._graph.beside():
            yield
        self._graph.join()

    def _begin(self, phase: Phase, batch: Batch, outputs: Outputs | None) -> None:
        self._phase, self._graph, self._warmed_up = phase, self._new_graph(), 0
        self._is_captured, self.obstacle = False, None
        if why := obstacle(self.trainer, batch, outputs):
            self._give_up(why)

    def _give_up(self, why: str) -> None:
        self.obstacle = why
        self._say(f"{self.trainer.name} trains without a CUDA graph: {why}")

    def _replay(self, batch: Batch, outputs: Outputs | None) -> None:
        begins = self._is_captured and self.trainer.step == 0
        if begins and what_python_holds(self.trainer.distillation) != self._held:  # changed by `begin_epoch`
            self._phase = None  # capture it again
            self.trainer.learn(batch, outputs)
            return
        if self.trainer.optimizer.doctor.is_due:  # it reads numbers back
            self.trainer.learn(batch, outputs)
            return
        if not self._is_captured:
            self._prepared = like(batch.prepared)
        fill(self._prepared, batch.prepared)
        try:
            self._capture(batch, outputs)
        except RuntimeError as error:  # nothing has been computed yet
            self._give_up(" ".join(str(error).split())[:200])
            self.trainer.learn(batch, outputs)
            return
        self._graph.replay()
        self.replays += 1

    def _capture(self, batch: Batch, outputs: Outputs | None) -> None:
        if self._is_captured:
            return
        self._held = what_python_holds(self.trainer.distillation)
        self.trainer.optimizer.lr_as_tensors()
        static = withheld(replace(batch, prepared=self._prepared))
        self._graph.capture(lambda: self.trainer.learn(static, outputs))
        self._is_captured = True


def obstacle(trainer: StudentTrainer, batch: Batch, outputs: Outputs | None) -> str | None:
    """Return why a student's steps cannot be captured, tested on a copy; None if they can."""
    try:
        twin = trainer.twin()
    except (RuntimeError, TypeError) as error:
        return f"it cannot be copied ({' '.join(str(error).split())[:200]})"
    twin.optimizer.doctor.stop("this is a copy")
    twin.train_step(batch, outputs)  # creates its momentum
    found: list[str] = []

    def watched(batch: Batch, outputs: Outputs | None) -> None:
        with host_access() as asked:
            twin.learn(withheld(batch), outputs)
        found.extend(asked)

    before = what_python_holds(twin.distillation)
    try:
        twin.optimizer.lr_as_tensors()
        twin.train_step(batch, outputs, learn=watched)
    except NotCapturable as why:
        return str(why)
    after = what_python_holds(twin.distillation)
    found += [f"it changes {name}; write into a buffer instead" for name in after if after[name] != before.get(name)]
    return found[0] if found else None

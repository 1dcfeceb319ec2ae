"""A classroom: one teacher, many students. What the loop steps through; a single distillation is a room of one."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict, cast

import torch
from torch import Tensor, nn

from . import ranks
from .data import Data
from .distillation import Distillation
from .method import Phase
from .outputs import Batch, Outputs
from .recipe import Optimizer, Recipe
from .runs import Row, Run
from .shelf import Shelf, Unfit, open_cache
from .streams import stream_seed
from .tally import Tally
from .taps import Tapped
from .teacher_cache import TeacherCache


class _State(TypedDict):
    """What state.pt holds."""

    position: tuple[int, int]
    seconds: float
    best: tuple[float, int]
    tally: dict[str, object]
    distillation: dict[str, Tensor]
    optimizer: dict[str, Any]


class Lesson:
    """One student's training: its distillation, optimiser, run folder, and how far it has come.

    Args:
        distillation: The student and its methods.
        recipe: How to optimise.
        run: Where it is kept.
        about: What the files with its weights shall say of it: network, classes, normalisation.
        name: What people call it.
    """

    def __init__(
        self,
        distillation: Distillation,
        recipe: Recipe,
        run: Run,
        about: Mapping[str, object] | None = None,
        name: str = "student",
    ):
        self.distillation, self.recipe, self.run, self.name = distillation, recipe, run, name
        self.about = dict(about or {})
        self.phases = distillation.phases(recipe.epochs)
        self.epochs = sum(phase.epochs for phase in self.phases)
        self.epoch, self.step = 0, 0  # the next one
        self.seconds = 0.0
        self.best = (-math.inf, -1)  # top-1 in percent on held-out images, after which epoch
        self.rows: list[Row] = []
        self.tally = Tally()  # of this epoch
        self._optimizer: Optimizer | None = None

    @property
    def is_done(self) -> bool:
        return self.epoch >= self.epochs

    @property
    def model(self) -> nn.Module:
        """The network that is evaluated and shipped."""
        return self.distillation.deploy()

    def phase_at(self, epoch: int) -> tuple[Phase, int]:
        """The phase that an epoch of the run belongs to, and the epoch with which it began."""
        start = 0
        for phase in self.phases:
            if epoch < start + phase.epochs:
                return phase, start
            start += phase.epochs
        return self.phases[-1], start - self.phases[-1].epochs

    @property
    def optimizer(self) -> Optimizer:
        """Of the present phase; each phase begins with fresh momentum."""
        phase, _ = self.phase_at(self.epoch)
        if self._optimizer is None or self._optimizer.phase is not phase:
            self._optimizer = Optimizer(phase, self.recipe)
        return self._optimizer

    def begin(self) -> None:
        """What this phase trains is in train mode, all else in eval mode."""
        self.distillation.eval()
        for module in self.phase_at(self.epoch)[0].trains:
            module.train()

    def learn(self, batch: Batch, said: Outputs | None) -> None:
        """One step on one batch, given what the teacher said about it."""
        # Dropout draws alike in every room, and for each rank on its own.
        torch.manual_seed(stream_seed(batch.seed, "student", batch.step) + ranks.rank())
        phase, start = self.phase_at(self.epoch)
        batch = replace(batch, epoch=batch.epoch - start)
        optimizer = self.optimizer
        optimizer.set_lr(batch.epoch)
        bfloat16 = self.recipe.precision == "bfloat16"
        with torch.autocast(batch.images.device.type, torch.bfloat16, enabled=bfloat16):
            terms = phase.terms(batch, said)
        optimizer.step(terms)
        with torch.no_grad():
            for _, method in self.distillation.named_methods():
                method.after_step(batch)
        self.tally.add(terms)
        self.step += 1

    def check(self) -> None:
        """Raises ArithmeticError if a loss term or a weight is not a finite number any more; waits for the device."""
        term, step = self.tally.spoilt() or (None, self.step)
        state = [*self.distillation.parameters(), *self.distillation.student.buffers()]
        if term is None and torch.stack([value.isfinite().all() for value in state]).all():
            return
        largest = max(means := self.tally.means(), key=means.__getitem__, default="none")
        what = f"the loss term {term}" if term else f"a weight (the largest loss term is {largest})"
        way_out = f"lower --lr or {term or largest}'s weight, or limit the gradient with --clip_norm"
        if term and step == 1 and self.epoch == 0:  # nothing has been learned yet
            way_out = f"look at the arguments of {term} and at the weights that were given"
        raise ArithmeticError(
            f"{self.name}: {what} is no finite number any more, from step {step} of epoch {self.epoch + 1} on; "
            f"{self.run.describe()}: {way_out}"
        )

    def end_epoch(self, measured: Mapping[str, float], seconds: float) -> Row:
        """Closes an epoch: a row of metrics, a point to resume from, the best network so far."""
        self.check()  # before anything is written
        phase, _ = self.phase_at(self.epoch)
        losses = self.tally.means()
        observed = {
            f"{name}.{what}": value.item()
            for name, method in self.distillation.named_methods()
            for what, value in method.observations().items()
        }
        lr = self.optimizer.sgd.param_groups[0]["lr"]
        row: Row = {"epoch": self.epoch + 1, "phase": phase.name, "lr": lr, "loss": sum(losses.values()), **losses}
        row |= {**observed, **measured, "seconds": round(seconds, 3)}
        self.rows.append(row)
        self.seconds += seconds
        self.epoch, self.step, self.tally = self.epoch + 1, 0, Tally()
        if phase is self.phases[-1] and measured["top1"] > self.best[0]:
            self.best = (measured["top1"], self.epoch)
            self.run.save_best(self.model, self.about | {"epoch": self.epoch})
        self.save()
        self.run.chart(row)
        return row

    def save(self) -> None:
        """Everything needed to go on from here; refused when a loss or a weight is not finite any more."""
        self.check()
        state: _State = {
            "position": (self.epoch, self.step),
            "seconds": self.seconds,
            "best": self.best,
            "tally": self.tally.state(),
            "distillation": self.distillation.state_dict(),
            "optimizer": self.optimizer.sgd.state_dict(),
        }
        self.run.save(state, self.rows)

    def resume(self) -> bool:
        """Goes on where the run folder was left; False if there is nothing to go on from."""
        loaded = self.run.load()
        if loaded is None:
            return False
        state = cast(_State, loaded)
        try:
            (self.epoch, self.step), self.seconds, self.best = state["position"], state["seconds"], state["best"]
            self.distillation.load_state_dict(state["distillation"])
            self.optimizer.sgd.load_state_dict(state["optimizer"])
            self.tally.restore(state["tally"], next(self.distillation.parameters()).device)
        except (KeyError, RuntimeError) as error:
            why = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise ValueError(
                f"{self.run.folder} was left by another version of the code ({why}); move it away to begin anew"
            ) from error
        self.rows = [row for row in self.run.rows() if row["epoch"] <= self.epoch]
        return True


class Classroom:
    """Asks the teacher once per batch, and lets every student listen.

    A student trained in a room of many equals the same student trained alone: nothing here depends on who else is in
    it. Only one student's activations live at a time.

    Args:
        teacher: The trained network, with the taps of all lessons; None if no lesson listens to one.
        lessons: The students.
    """

    def __init__(self, teacher: Tapped | None, lessons: Sequence[Lesson]):
        self.teacher, self.lessons = teacher, list(lessons)
        self.cache: TeacherCache | None = None
        self.replays = False  # CUDA graphs, whose outputs are overwritten by those of the next step
        self._batch_statistics: Tapped | None = None  # a copy, so that the teacher's own buffers stay as they are

    def to(self, device: torch.device) -> None:
        for net in (self.teacher, *(lesson.distillation for lesson in self.lessons)):
            if net is not None:
                net.to(device).to(memory_format=torch.channels_last)
        if self.teacher is not None:
            self.teacher.eval().requires_grad_(False)
        if self.teacher is not None and any(lesson.distillation.batch_statistics for lesson in self.lessons):
            self._batch_statistics = copy.deepcopy(self.teacher)
            for module in self._batch_statistics.modules():
                module.training = isinstance(module, nn.modules.batchnorm._BatchNorm)

    def keep(self, shelf: Shelf, data: Data) -> str | None:
        """Keeps what the teacher says, from now on; returns a line for people.

        Raises:
            ValueError: If it shall and cannot, or if what the shelf holds is not what the teacher says.
        """
        taught = [one.distillation for one in self.lessons if not one.is_done and one.distillation.is_taught]
        if self.teacher is None or not taught:
            return None
        try:
            if all(distillation.batch_statistics for distillation in taught):
                raise Unfit("the teacher's BatchNorms shall use each batch's own statistics")
            if any(distillation.needs_strong_view for distillation in taught):
                raise Unfit("there is no end to the strongly augmented views")
            if ranks.count() > 1:
                raise Unfit("several processes train together")
            heard = [distillation for distillation in taught if not distillation.batch_statistics]
            methods = [named for distillation in heard for named in distillation.named_methods()]
            readers = {spot.teacher: name for name, method in methods for spot in method.spots}
            self.cache = open_cache(shelf, self.teacher, readers, data, self.epochs)
        except Unfit as why:
            if shelf.use == "on":
                raise ValueError(f"--teacher_cache on: {why}; leave that out") from None
            return f"no teacher cache: {why}"
        return f"teacher cache: {self.cache.folder}"

    def foresee(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches of an epoch, looked up in the cache before they are taught, if there is one."""
        return self.cache.ahead(batches) if self.cache else batches

    @property
    def epochs(self) -> int:
        return max(lesson.epochs for lesson in self.lessons)

    @property
    def position(self) -> tuple[int, int] | None:
        """Epoch and step of the student that is furthest behind; None when all are done."""
        return min(((lesson.epoch, lesson.step) for lesson in self.lessons if not lesson.is_done), default=None)

    def turn(self, epoch: int, step: int) -> list[Lesson]:
        """Whose turn this batch is: after a crash some students may be a step or an epoch ahead of others."""
        return [
            lesson for lesson in self.lessons if not lesson.is_done and (lesson.epoch, lesson.step) == (epoch, step)
        ]

    def teach(self, batch: Batch, lessons: Sequence[Lesson]) -> None:
        """The teacher says what it sees in a batch, and each of these students learns from it."""
        if not any(lesson.distillation.needs_strong_view for lesson in lessons):
            batch = replace(batch, strong=None)
        if self.replays:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call] # in PyTorch
        said = {kind: self._ask(batch, kind) for kind in {lesson.distillation.batch_statistics for lesson in lessons}}
        for lesson in lessons:
            lesson.learn(batch, said[lesson.distillation.batch_statistics])

    @torch.no_grad()
    def _ask(self, batch: Batch, batch_statistics: bool | None) -> Outputs | None:
        if batch_statistics is None or self.teacher is None:
            return None
        if batch_statistics and self._batch_statistics:
            return self._batch_statistics.see(batch)
        return (self.cache or self.teacher).see(batch)

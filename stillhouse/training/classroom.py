"""A classroom: one teacher, many students. What the loop steps through; a single distillation is a room of one."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import nn

from .. import distributed
from ..batch import Batch
from ..data import Data
from ..taps import Outputs, Tapped
from .cache_store import CacheStore, CacheUnavailable, open_cache
from .student import StudentTrainer
from .teacher_cache import TeacherCache


class Classroom:
    """Asks the teacher once per batch, and lets every student listen.

    A student trained in a room of many equals the same student trained alone: nothing here depends on who else is in
    it. Only one student's activations live at a time.

    Args:
        teacher: The trained network, with the taps of all lessons; None if no lesson listens to one.
        lessons: The students.
    """

    def __init__(self, teacher: Tapped | None, trainers: Sequence[StudentTrainer]):
        self.teacher, self.trainers = teacher, list(trainers)
        self.cache: TeacherCache | None = None
        self.replays = False  # CUDA graphs, whose outputs are overwritten by those of the next step
        self._batch_statistics: Tapped | None = None  # a copy, so that the teacher's own buffers stay as they are

    def part(self, trainers: Sequence[StudentTrainer]) -> Classroom:
        """A room of some of these students, with the same teacher."""
        room = Classroom(self.teacher, trainers)
        room.replays = self.replays
        return room

    def to(self, device: torch.device) -> None:
        for net in (self.teacher, *(trainer.distillation for trainer in self.trainers)):
            if net is not None:
                net.to(device).to(memory_format=torch.channels_last)
        if self.teacher is not None:
            self.teacher.eval().requires_grad_(False)
        if self.teacher is not None and any(trainer.distillation.batch_statistics for trainer in self.trainers):
            self._batch_statistics = copy.deepcopy(self.teacher)
            for module in self._batch_statistics.modules():
                module.training = isinstance(module, nn.modules.batchnorm._BatchNorm)

    def keep(self, shelf: CacheStore, data: Data) -> str | None:
        """Keeps what the teacher says, from now on; returns a line for people.

        Raises:
            ValueError: If it shall and cannot, or if what the shelf holds is not what the teacher says.
        """
        taught = [one.distillation for one in self.trainers if not one.is_done and one.distillation.is_taught]
        if self.teacher is None or not taught:
            return None
        try:
            if all(distillation.batch_statistics for distillation in taught):
                raise CacheUnavailable("the teacher's BatchNorms shall use each batch's own statistics")
            if any(distillation.needs_strong_view for distillation in taught):
                raise CacheUnavailable("there is no end to the strongly augmented views")
            if distributed.world_size() > 1:
                raise CacheUnavailable("several processes train together")
            heard = [distillation for distillation in taught if not distillation.batch_statistics]
            methods = [named for distillation in heard for named in distillation.named_methods()]
            readers = {spot.teacher: name for name, method in methods for spot in method.spots}
            self.cache = open_cache(shelf, self.teacher, readers, data, self.epochs)
        except CacheUnavailable as why:
            if shelf.use == "on":
                raise ValueError(f"--teacher_cache on: {why}; leave that out") from None
            return f"no teacher cache: {why}"
        return f"teacher cache: {self.cache.folder}"

    def prefetch(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches of an epoch, looked up in the cache before they are taught, if there is one."""
        return self.cache.ahead(batches) if self.cache else batches

    @property
    def epochs(self) -> int:
        return max(trainer.epochs for trainer in self.trainers)

    @property
    def position(self) -> tuple[int, int] | None:
        """Epoch and step of the student that is furthest behind; None when all are done."""
        return min(((trainer.epoch, trainer.step) for trainer in self.trainers if not trainer.is_done), default=None)

    def trainers_at(self, epoch: int, step: int) -> list[StudentTrainer]:
        """Whose turn this batch is: after a crash some students may be a step or an epoch ahead of others."""
        return [
            trainer
            for trainer in self.trainers
            if not trainer.is_done and (trainer.epoch, trainer.step) == (epoch, step)
        ]

    def train_step(self, batch: Batch, trainers: Sequence[StudentTrainer]) -> None:
        """The teacher says what it sees in a batch, and each of these students learns from it."""
        batch, outputs = self._look_at(batch, trainers)
        for trainer in trainers:
            trainer.train_step(batch, outputs[trainer.distillation.batch_statistics])

    def trial_step(self, batch: Batch, trainer: StudentTrainer) -> None:
        """The same for one student that has not begun, and shall have learned nothing from it."""
        batch, outputs = self._look_at(batch, [trainer])
        trainer.trial_step(batch, outputs[trainer.distillation.batch_statistics])

    def _look_at(
        self, batch: Batch, trainers: Sequence[StudentTrainer]
    ) -> tuple[Batch, dict[bool | None, Outputs | None]]:
        """The batch as these students shall see it, and what the teacher says about it, by kind of statistics."""
        if not any(trainer.distillation.needs_strong_view for trainer in trainers):
            batch = replace(batch, strong=None)
        if self.replays:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call] # in PyTorch
        kinds = {trainer.distillation.batch_statistics for trainer in trainers}
        return batch, {kind: self._ask(batch, kind) for kind in kinds}

    @torch.no_grad()
    def _ask(self, batch: Batch, batch_statistics: bool | None) -> Outputs | None:
        if batch_statistics is None or self.teacher is None:
            return None
        if batch_statistics and self._batch_statistics:
            return self._batch_statistics.forward_batch(batch)
        return (self.cache or self.teacher).forward_batch(batch)

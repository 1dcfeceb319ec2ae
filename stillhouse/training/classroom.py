"""A classroom: one teacher and its students, which the loop trains; a single distillation is one of one student."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import nn

from .. import distributed
from ..batch import Batch
from ..data import Data
from ..data.on_disk import is_worker_death
from ..distillation import Distillation, TeacherMode
from ..taps import Outputs, Tapped
from .cache.store import CacheStore, CacheUnavailable, open_cache
from .cache.teacher_cache import TeacherCache
from .student import StudentTrainer

OnFailure = Callable[[StudentTrainer, Exception], None]


class Classroom:
    """Runs the teacher once per batch, for all of its students.

    A student trained among others equals the same student trained alone: nothing here depends on the other students.
    Only one student's activations are in memory at a time.

    Args:
        teacher: The trained network, with the taps of all students; None if no student needs one.
        trainers: The students.
    """

    on_failure: OnFailure | None = None  # told of a student that fails, which is then left out; None: raise
    memory_format = torch.channels_last  # of images, teacher and students

    def __init__(self, teacher: Tapped | None, trainers: Sequence[StudentTrainer]):
        self.teacher, self.trainers = teacher, list(trainers)
        self.cache: TeacherCache | None = None
        self.replays = False  # True for CUDA graphs, whose outputs the next step overwrites
        self._batch_statistics: Tapped | None = None  # a copy, so that the teacher's own buffers stay as they are

    def part(self, trainers: Sequence[StudentTrainer]) -> Classroom:
        """Return a classroom of some of these students, with the same teacher."""
        part = Classroom(self.teacher, trainers)
        part.replays, part.on_failure, part.memory_format = self.replays, self.on_failure, self.memory_format
        return part

    def for_each(
        self, act: Callable[[StudentTrainer], object], trainers: Iterable[StudentTrainer] | None = None
    ) -> None:
        """Do something with each of these students, by default with all.

        If `on_failure` is set, it is told of each student for which this fails. That student is left out from then on;
        the others continue as if nothing had happened. An error that concerns all of them, such as a full disk, is
        raised.
        """
        for trainer in [*(self.trainers if trainers is None else trainers)]:
            try:
                act(trainer)
            except Exception as error:
                if self.on_failure is None or not _is_own(error):
                    raise
                self.trainers.remove(trainer)
                self.on_failure(trainer, error)

    def to(self, device: torch.device) -> None:
        for net in (self.teacher, *(trainer.distillation for trainer in self.trainers)):
            if net is not None:
                net.to(device).to(memory_format=self.memory_format)
        if self.teacher is None:
            return
        self.teacher.eval().requires_grad_(False)
        if any(trainer.distillation.teacher_mode == "batch_stats" for trainer in self.trainers):
            self._batch_statistics = copy.deepcopy(self.teacher)
            for module in self._batch_statistics.modules():
                module.training = isinstance(module, nn.modules.batchnorm._BatchNorm)

    def use_cache(self, store: CacheStore, data: Data) -> str | None:
        """Keep the teacher's outputs on disk from now on; return a line for the log, or None if no student needs them.

        Raises:
            ValueError: If the store requires a cache and there cannot be one, or if it holds another teacher's outputs.
        """
        learners = [one.distillation for one in self.trainers if not one.is_done and one.distillation.has_teacher]
        if self.teacher is None or not learners:
            return None
        obstacle = cache_obstacle(learners)
        if obstacle is None:
            readers = cache_readers(learners)
            try:
                self.cache = open_cache(store, self.teacher, readers, data, self.epochs)
                return f"teacher cache: {self.cache.folder}"
            except CacheUnavailable as why:
                obstacle = str(why)
        if store.use == "on":
            raise ValueError(f"--teacher_cache on: {obstacle}; leave it out")
        return f"no teacher cache: {obstacle}"

    def prefetch(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield the batches of an epoch; if there is a cache, several are looked up at once."""
        return self.cache.prefetch(batches) if self.cache else batches

    @property
    def epochs(self) -> int:
        return max((trainer.epochs for trainer in self.trainers), default=0)

    @property
    def position(self) -> tuple[int, int] | None:
        """Return epoch and step of the student that is furthest behind; None when all are at their end."""
        return min(((trainer.epoch, trainer.step) for trainer in self.trainers if not _rests(trainer)), default=None)

    def trainers_at(self, epoch: int, step: int) -> list[StudentTrainer]:
        """Return the students that need this batch: after a crash some may be a step or an epoch ahead of others."""
        return [
            trainer
            for trainer in self.trainers
            if not _rests(trainer) and (trainer.epoch, trainer.step) == (epoch, step)
        ]

    def train_step(self, batch: Batch, trainers: Sequence[StudentTrainer]) -> None:
        """Run the teacher on a batch, and train each of these students for a step."""
        batch, outputs = self._run_teacher(batch, trainers)
        self.for_each(lambda one: one.train_step(batch, outputs[one.distillation.teacher_mode]), trainers)

    def trial_step(self, batch: Batch, trainer: StudentTrainer) -> None:
        """Run the teacher on a batch, and let a student that has not started take a step that is undone."""
        batch, outputs = self._run_teacher(batch, [trainer])
        trainer.trial_step(batch, outputs[trainer.distillation.teacher_mode])

    def _run_teacher(
        self, batch: Batch, trainers: Sequence[StudentTrainer]
    ) -> tuple[Batch, dict[TeacherMode, Outputs | None]]:
        """Return the batch as these students need it, and the teacher's outputs for it in each mode they need."""
        if not any(trainer.distillation.needs_strong_view for trainer in trainers):
            batch = replace(batch, strong=None)
        if self.replays:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call] # in PyTorch
        batch, modes = self.laid_out(batch), teacher_modes(trainers)
        return batch, {mode: self.teacher_outputs(batch, mode) for mode in modes}

    def laid_out(self, batch: Batch) -> Batch:
        """Return the batch with its images in the networks' memory format, so that no layer has to convert them."""
        images, strong = batch.images.contiguous(memory_format=self.memory_format), batch.strong
        strong = None if strong is None else strong.contiguous(memory_format=self.memory_format)
        return replace(batch, images=images, strong=strong)

    @torch.no_grad()
    def teacher_outputs(self, batch: Batch, mode: TeacherMode) -> Outputs | None:
        """Run the teacher or look up its outputs; return None in the mode of students without a teacher."""
        if mode == "none" or self.teacher is None:
            return None
        if mode == "batch_stats" and self._batch_statistics:
            return self._batch_statistics.forward_batch(batch)
        return (self.cache or self.teacher).forward_batch(batch)


def teacher_modes(trainers: Iterable[StudentTrainer]) -> list[TeacherMode]:
    """Return the modes in which students need the teacher, in the same order on all ranks, which gather its outputs."""
    return sorted({trainer.distillation.teacher_mode for trainer in trainers})


def _rests(trainer: StudentTrainer) -> bool:
    """Return True for a student that has all epochs that it is to be trained for now."""
    return trainer.epoch >= trainer.until


def _is_own(error: Exception) -> bool:
    """Return True for a failure of one student, False for one of the machine or one that other processes wait on."""
    of_all = isinstance(error, OSError | MemoryError | torch.OutOfMemoryError) or is_worker_death(error)
    return not of_all and distributed.world_size() == 1


def cache_readers(learners: Sequence[Distillation]) -> dict[str, str]:
    """Return, for each place in the teacher that is read in eval mode, the name of a method that reads it."""
    return {
        spot.teacher: name
        for distillation in learners
        if distillation.teacher_mode == "eval"
        for name, method in distillation.named_methods()
        for spot in method.spots
    }


def cache_obstacle(learners: Sequence[Distillation]) -> str | None:
    """Return why a teacher's outputs for these students cannot be kept, in a clause; None if they can."""
    if all(distillation.teacher_mode == "batch_stats" for distillation in learners):
        return "the teacher's BatchNorms use each batch's own statistics"
    if any(distillation.needs_strong_view for distillation in learners):
        return "strong views are new in each epoch, so no output for them is needed twice"
    if distributed.world_size() > 1:
        return "several processes train together"
    return None

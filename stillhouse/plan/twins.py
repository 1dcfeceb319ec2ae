"""Copies of students that take steps to be timed, and leave no mark."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from .. import distributed
from ..batch import Batch
from ..modes import in_eval_mode
from ..taps import Outputs
from ..training.classroom import Classroom
from ..training.student import StudentTrainer

_FEW = 8  # images of a first step, which shows how long a whole one takes; the fewest that slow ones are timed on
_ODD = 3.0  # times the middle of a network's steps: no step counts for more, because a short trial meets few such


class Twin:
    """A copy of a student in the phase of distillation itself, whose steps leave no mark on the student.

    Args:
        outputs: The teacher's by mode and number of images, which all twins share.
    """

    def __init__(
        self, trainer: StudentTrainer, classroom: Classroom, outputs: dict[tuple[str, int], Outputs | None]
    ) -> None:
        self._twin, self._classroom, self._outputs = trainer.twin(), classroom, outputs
        self._twin.move_to(sum(phase.epochs for phase in trainer.phases[:-1]))
        self._twin.begin_epoch()
        self._mode = self._twin.distillation.teacher_mode

    def begin(self, batches: Sequence[Batch], device: torch.device, longest: float) -> None:
        """Get ready to be timed; `longest` as for `Timed`."""
        taught = batches if self._mode == "none" else batches[:1]  # few outputs of the teacher are kept
        self.learning = Timed.begun(self.train, taught, device, longest, self.prepare)
        parts, whole = self.learning.batches, self.learning.whole
        Timed(self.look, parts, device, whole).once()  # the first takes longer
        self.looking = Timed(self.look, parts, device, whole)

    def once(self) -> None:
        """Time a step, and the student alone."""
        self.learning.once()
        self.looking.once()

    def kept(self) -> tuple[int, int]:
        """Return the bytes of its weights and buffers, and those that its steps keep: gradients and momentum."""
        distillation, state = self._twin.distillation, self._twin.optimizer.state_dict()["state"]
        of_steps = [value for slot in state.values() for value in slot.values() if isinstance(value, Tensor)]
        of_steps += [one.grad for one in distillation.parameters() if one.grad is not None]
        return _size([*distillation.parameters(), *distillation.buffers()]), _size(of_steps)

    def free(self) -> None:
        """Free its memory; its times stay."""
        del self._twin

    def prepare(self, batch: Batch) -> None:
        """Keep the teacher's outputs for a batch; those for others of this size are taken to be the same."""
        key = self._mode, len(batch.labels)
        if key not in self._outputs:
            self._outputs[key] = self._classroom.teacher_outputs(batch, self._mode)

    def train(self, batch: Batch) -> None:
        batch = replace(batch, epoch=float(self._twin.epoch))
        self._twin.train_step(batch, self._outputs[self._mode, len(batch.labels)])

    @torch.no_grad()
    def look(self, batch: Batch) -> None:
        """Run the student alone, as an evaluation does."""
        with in_eval_mode(self._twin.model):
            self._twin.model(batch.images)


@dataclass(frozen=True)
class Timed:
    """The times of an action on whole batches, or on parts of them if it is slow.

    Args:
        whole: Images of a whole batch.
    """

    act: Callable[[Batch], object]
    batches: Sequence[Batch]
    device: torch.device
    whole: int
    times: list[float] = field(default_factory=list)

    @classmethod
    def begun(
        cls,
        act: Callable[[Batch], object],
        batches: Sequence[Batch],
        device: torch.device,
        longest: float,
        prepare: Callable[[Batch], object] = lambda batch: None,
    ) -> Timed:
        """Return it ready to be timed, after what is done once.

        Args:
            longest: Seconds that it may take; a slower one is timed on fewer images.
            prepare: Is called once for each size of batch, before its first use.
        """
        least = max(_FEW, 2 * distributed.world_size())  # BatchNorms need two images on each rank
        whole, few = len(batches[0].labels), _some(batches[0], least)
        prepare(few)
        first = cls(act, [few], device, len(few.labels))
        first.once()
        first.once()
        images, each = whole, first.times[-1] / len(few.labels)
        while images > least and images * each > longest:
            images = max(least, images // 2)
        parts = [_some(batch, images) for batch in batches] if images < whole else batches
        prepare(parts[0])
        warm = cls(act, parts, device, whole)
        for _ in range(1 if images * each > 0.2 * longest else 3):
            warm.once()
        return cls(act, parts, device, whole)

    @property
    def images(self) -> int:
        """Number of images that it is timed on, which may be fewer than `whole`."""
        return len(self.batches[0].labels)

    @property
    def seconds(self) -> float:
        """Seconds for a whole batch, the mean of all times."""
        most = _ODD * statistics.median(self.times)
        return statistics.fmean(min(one, most) for one in self.times) * self.whole / self.images

    def once(self) -> None:
        """Time it on the next batch.

        The time is the same number on all ranks, that of the slowest, because the steps that follow depend on it, and
        each rank must take as many.
        """
        batch, began = self.batches[len(self.times) % len(self.batches)], time.perf_counter()
        self.act(batch)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.times.append(max(distributed.collect(time.perf_counter() - began)))


def needed(trainer: StudentTrainer) -> int:
    """Return about how many bytes a twin keeps: weights, gradients, momentum, and buffers."""
    distillation = trainer.distillation
    return 3 * _size(distillation.parameters()) + _size(distillation.buffers())


def _size(tensors: Iterable[Tensor]) -> int:
    return sum(one.numel() * one.element_size() for one in tensors)


def _some(batch: Batch, images: int) -> Batch:
    """Return a batch of the first images."""
    return batch.rows(torch.arange(min(images, len(batch.labels)), device=batch.labels.device))

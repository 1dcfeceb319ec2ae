"""A method in training between two small networks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from ..batch import Batch, DataInfo
from ..distillation import Distillation
from ..methods import CE
from ..methods.parse import MethodSpec
from ..taps import Outputs
from ..training.classroom import Classroom
from ..training.config import TrainConfig
from ..training.doctor.gradients import LossDoctor
from ..training.run_folder import Run
from ..training.student import StudentTrainer
from .specimens import BATCH, DATA, PAIRS, Pair, batch

Loss = Callable[[Outputs, Outputs, Batch], Tensor]
STEPS = 4  # of a short training, in each phase
RECIPE = TrainConfig(epochs=1, batch_size=BATCH, lr=0.01, clip_norm=1.0)
_LEFT_OUT = {"phase": "left out", **dict.fromkeys(("lr", "loss", "top1", "top5", "test_loss", "seconds"), 0.0)}


class Broken(Exception):  # noqa: N818 (the caller decides if it is an error)
    """A law is broken; the message says how."""


class NotApplicable(Exception):  # noqa: N818 (it is not an error)
    """A law has nothing to test in a method; the message says why."""


@dataclass(frozen=True)
class Subject:
    """A method to be tested."""

    spec: MethodSpec

    @cached_property
    def data(self) -> DataInfo:
        return replace(DATA, strong_view=self.spec.build().needs_strong_view)

    @cached_property
    def pair(self) -> Pair:
        """The first pair that the method does not refuse."""
        refusals = []
        for pair in PAIRS:
            try:
                Trial(self.spec, pair, self.data)
            except ValueError as error:
                refusals.append(f"{pair.name}: {error}")
            else:
                return pair
        raise Broken(f"it refuses every pair of networks, {refusals[0]}")

    def batch(self, step: int = 0, size: int = BATCH) -> Batch:
        return batch(step, size, self.data.strong_view)

    def trial(self) -> Trial:
        return Trial(self.spec, self.pair, self.data)

    @cached_property
    def _trained(self) -> Trial:
        return self.trial().train()

    def trained(self) -> Trial:
        """Return a copy of the trial after a few steps."""
        return copy.deepcopy(self._trained)


class Trial:
    """A new method between a new student and a teacher, the same each time; training adds cross-entropy.

    Args:
        student: Seed of the student's weights.
    """

    def __init__(self, spec: MethodSpec, pair: Pair, data: DataInfo, student: int = 0):
        self.teacher = pair.teacher().eval().requires_grad_(False)
        self.distillation = Distillation(pair.student(student), self.teacher, [spec.build(), CE()], data).train()
        for net in (self.teacher, self.distillation):
            net.to(memory_format=torch.channels_last)  # as in the loop
        (self.name, self.method), _ = self.distillation.named_methods()
        self.warmups: list[Loss] = [warmup.loss for _, warmup in self.distillation.warmups]
        self.phases = self.distillation.phases(epochs=1)
        self.strong_view = data.strong_view

    def outputs(self, batch: Batch) -> tuple[Outputs, Outputs]:
        """Return the student's and the teacher's outputs."""
        with torch.no_grad():
            outputs = self.teacher.forward_batch(batch)
        return self.distillation.student.forward_batch(batch), outputs

    def unweighted(self, student: Outputs, teacher: Outputs, batch: Batch) -> list[Tensor]:
        """Return the method's losses, one for each phase, (N,) or () each."""
        return [*(loss(student, teacher, batch) for loss in self.warmups), self.method(student, teacher, batch)]

    def twin(self) -> Trial:
        """Return the same networks with a copy of the method, so that this one does not remember the batches."""
        twin = copy.copy(self)
        twin.method, twin.warmups = copy.deepcopy((self.method, self.warmups))
        return twin

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss of each phase, (), computed with all modules in the mode of that phase."""
        with torch.no_grad():
            outputs = self.teacher.forward_batch(batch)
        losses = {}
        for phase in self.phases:
            self.distillation.eval()
            for module in phase.trains:
                module.train()
            losses[phase.name] = phase.terms(batch, outputs)[self.name]
        return losses

    def gradients(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the gradients of student and method, by name, summed over the losses.

        Raises:
            Broken: If a loss or a gradient is NaN or inf.
        """
        for phase, loss in losses.items():
            if not loss.isfinite():
                raise Broken(f"the loss is {loss.item()} ({phase})")
            if loss.requires_grad:
                torch.autograd.backward(loss, retain_graph=True)
        named = self.distillation.named_parameters()
        gradients = {name: parameter.grad for name, parameter in named if parameter.grad is not None}
        for name, gradient in gradients.items():
            if not gradient.isfinite().all():
                raise Broken(f"the loss is finite, but the gradient of {name} is not")
        return gradients

    def trial_step(self) -> Trial:
        """Take a step and undo it."""
        trainer = StudentTrainer(self.distillation, RECIPE, Run(Path(), "trial", {}, {}))
        room = Classroom(self.teacher, [trainer])
        room.to(torch.device("cpu"))
        room.trial_step(batch(0, strong_view=self.strong_view), trainer)
        trainer.free_step_memory()
        return self

    def train(self, folder: Path | None = None, successor: Trial | None = None, watched: bool = False) -> Trial:
        """Train a few steps of each phase with the loop's own parts.

        Args:
            folder: The run's folder, for the state that is passed on.
            successor: A new trial; if given, a copy of it takes over in the middle of each phase.
            watched: Measure the loss's gradient in each step, as the loss doctor does in some.
        """
        run = Run(folder or Path(), "trial", {}, {})
        trial, trainer = self, StudentTrainer(self.distillation, RECIPE, run)
        start = 0
        for phase in self.phases:
            for step in range(STEPS):
                if step == 0:
                    trainer.move_to(start)
                    trainer.rows = [{"epoch": epoch, **_LEFT_OUT} for epoch in range(1, start + 1)]
                if successor and step == STEPS // 2:
                    run.folder.mkdir(exist_ok=True)
                    trainer.save()
                    trial = copy.deepcopy(successor)
                    trainer = StudentTrainer(trial.distillation, RECIPE, run)
                    trainer.resume()
                room = Classroom(trial.teacher, [trainer])
                room.to(torch.device("cpu"))
                trainer.begin_epoch()
                if watched:
                    trainer.optimizer.doctor = _Watching([*trial.distillation.student.parameters()])
                shown = batch(start + step, strong_view=self.strong_view)
                room.train_step(replace(shown, epoch=start + step / STEPS), [trainer])
            start += phase.epochs
        return trial


class _Watching(LossDoctor):
    """Looks in every step, and at a single term too."""

    @property
    def is_due(self) -> bool:
        return bool(self.trunk)

    def look(self, terms: Mapping[str, Tensor]) -> None:
        first = next(iter(terms.values()))
        super().look({**terms, "the same once more": first})


def total(losses: Iterable[Tensor]) -> Tensor:
    """Return the mean over samples, summed over phases."""
    return torch.stack([loss.mean() for loss in losses]).sum()

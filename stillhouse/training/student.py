"""A lesson: one student's training, step by step, and how far it has come."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypedDict, cast

import torch
from torch import Tensor, nn

from .. import distributed
from ..batch import Batch
from ..distillation import Distillation
from ..method import Phase
from ..rng import stream_seed
from ..taps import Outputs
from .config import TrainConfig
from .loss_meter import LossMeter
from .optimizer import Optimizer
from .run_folder import Row, Run


class _State(TypedDict):
    """What state.pt holds."""

    position: tuple[int, int]
    seconds: float
    best: tuple[float, int]
    tally: dict[str, object]
    distillation: dict[str, Tensor]
    optimizer: dict[str, Any]


class StudentTrainer:
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
        recipe: TrainConfig,
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
        self.meter = LossMeter()  # of this epoch
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

    def train_step(self, batch: Batch, outputs: Outputs | None) -> None:
        """One step on one batch, given what the teacher said about it."""
        # Dropout draws alike in every room, and for each rank on its own.
        torch.manual_seed(stream_seed(batch.seed, "student", batch.step) + distributed.rank())
        phase, start = self.phase_at(self.epoch)
        batch = replace(batch, epoch=batch.epoch - start)
        optimizer = self.optimizer
        optimizer.set_lr(batch.epoch)
        bfloat16 = self.recipe.precision == "bfloat16"
        with torch.autocast(batch.images.device.type, torch.bfloat16, enabled=bfloat16):
            terms = phase.terms(batch, outputs)
        optimizer.step(terms)
        with torch.no_grad():
            for _, method in self.distillation.named_methods():
                method.after_step(batch)
        self.meter.add(terms)
        self.step += 1

    def trial_step(self, batch: Batch, outputs: Outputs | None) -> None:
        """A step that is taken back, all but its gradients and momentum; for who has not begun yet.

        It shows how much memory a student takes: what a step needs is freed after it, these two stay until
        `free_step_memory`.
        """
        untaught = {name: value.to("cpu", copy=True) for name, value in self.distillation.state_dict().items()}
        unsaved = {name: buffer for name, buffer in self.distillation.named_buffers() if name not in untaught}
        values = [buffer.clone() for buffer in unsaved.values()]
        try:
            self.epoch = sum(phase.epochs for phase in self.phases[:-1])  # distillation itself
            self.begin()
            self.train_step(replace(batch, epoch=float(self.epoch)), outputs)
        finally:
            self.distillation.load_state_dict(untaught)
            for buffer, value in zip(unsaved.values(), values, strict=True):
                buffer.copy_(value)
            self.epoch, self.step, self.meter = 0, 0, LossMeter()

    def free_step_memory(self) -> None:
        """Gives back the memory that only steps need: gradients and momentum."""
        self._optimizer = None
        self.distillation.zero_grad(set_to_none=True)

    def check(self) -> None:
        """Raises ArithmeticError if a loss term or a weight is not a finite number any more; waits for the device."""
        term, step = self.meter.spoilt() or (None, self.step)
        state = [*self.distillation.parameters(), *self.distillation.student.buffers()]
        if term is None and torch.stack([value.isfinite().all() for value in state]).all():
            return
        largest = max(means := self.meter.means(), key=means.__getitem__, default="none")
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
        losses = self.meter.means()
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
        self.epoch, self.step, self.meter = self.epoch + 1, 0, LossMeter()
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
            "tally": self.meter.state(),
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
            self.meter.restore(state["tally"], next(self.distillation.parameters()).device)
        except (KeyError, RuntimeError) as error:
            why = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise ValueError(
                f"{self.run.folder} was left by another version of the code ({why}); move it away to begin anew"
            ) from error
        self.rows = [row for row in self.run.rows() if row["epoch"] <= self.epoch]
        return True

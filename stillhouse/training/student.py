"""One student's training: step by step, and how to resume it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import nn

from .. import distributed
from ..batch import Batch
from ..distillation import Distillation, Phase
from ..modes import unchanged
from ..rng import reseeded, stream_seed
from ..taps import Outputs
from .config import TrainConfig
from .loss_meter import LossMeter
from .optimizer import Optimizer
from .run_files import Row
from .run_folder import Run
from .saved_state import SavedState, cannot_resume, load_finished, read_saved, rows_checksum

Learn = Callable[[Batch, Outputs | None], None]


class StudentTrainer:
    """One student's training: its distillation, optimiser, run folder and position.

    Args:
        distillation: The student and its methods.
        config: Settings of the optimisation.
        run: The folder that it is saved in.
        about: Facts for the headers of its files of weights: network, classes, normalisation.
        name: Its name in messages.
    """

    def __init__(
        self,
        distillation: Distillation,
        config: TrainConfig,
        run: Run,
        about: Mapping[str, object] | None = None,
        name: str = "student",
    ):
        self.distillation, self.config, self.run, self.name = distillation, config, run, name
        self.about = dict(about or {})
        self.phases = distillation.phases(config.epochs)
        self.epochs = sum(phase.epochs for phase in self.phases)
        self.until = self.epochs  # epochs to train now; the rest is for another time
        self.epoch, self.step = 0, 0  # the next one
        self.threads_before = 0  # CPU threads of the process that it is resumed from; 0 if that is not known
        self.seconds, self.best = 0.0, (-math.inf, -1)  # top-1 in percent on held-out images, and its epoch
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
        """Return the phase of an epoch of the run, and the epoch with which that phase begins."""
        start = 0
        for phase in self.phases:
            if epoch < start + phase.epochs:
                return phase, start
            start += phase.epochs
        return self.phases[-1], start - self.phases[-1].epochs

    @property
    def optimizer(self) -> Optimizer:
        """The current phase's optimiser; each phase begins with fresh momentum."""
        phase, _ = self.phase_at(self.epoch)
        if self._optimizer is None or self._optimizer.phase is not phase:
            self._optimizer = Optimizer(phase, self.config)
        return self._optimizer

    def move_to(self, epoch: int, step: int = 0) -> None:
        """Continue at this point of the run without training up to it; sums of losses start from zero there."""
        self.epoch, self.step = epoch, step
        self.meter.clear()

    def begin_epoch(self) -> None:
        """Put the modules that this phase trains in train mode, and everything else in eval mode."""
        self.distillation.eval()
        for module in self.phase_at(self.epoch)[0].trains:
            module.train()

    def train_step(self, batch: Batch, outputs: Outputs | None, learn: Learn | None = None) -> None:
        """Train for one step on a batch, given the teacher's outputs for it.

        Args:
            learn: A function to call instead of `learn`, such as a replay of it.
        """
        # Dropout draws the same in any classroom, separately for each rank, and not from the caller's generators.
        with reseeded(stream_seed(batch.seed, "student", batch.step) + distributed.rank()):
            (learn or self.learn)(self._prepared(batch), outputs)
        self.step += 1

    def _prepared(self, batch: Batch) -> Batch:
        """Prepare the step, and return the batch with everything that `learn` reads."""
        _, start = self.phase_at(self.epoch)
        batch = replace(batch, epoch=batch.epoch - start)
        if self.step == 0:  # a run resumed in mid-epoch continues with its buffers
            self.distillation.begin_epoch(self.epoch - start)
        self.optimizer.begin_step(batch.epoch)
        return self.distillation.before_step(batch)

    def learn(self, batch: Batch, outputs: Outputs | None) -> None:
        """Compute the losses and follow their gradient; this only changes tensors, in place."""
        bfloat16 = self.config.precision == "bfloat16"
        with torch.autocast(batch.images.device.type, torch.bfloat16, enabled=bfloat16):
            terms = self.phase_at(self.epoch)[0].terms(batch, outputs)
        self.optimizer.step(terms)
        self.distillation.after_step(batch)
        self.meter.add(terms)

    def twin(self) -> StudentTrainer:
        """Return a copy at the same position for trial steps; it has the same run folder and must not be saved."""
        twin = StudentTrainer(copy.deepcopy(self.distillation), self.config, self.run, self.about, self.name)
        twin.move_to(self.epoch, self.step)
        twin.begin_epoch()
        return twin

    def trial_step(self, batch: Batch, outputs: Outputs | None) -> None:
        """Train for one step and undo it, except for gradients and momentum; call before training starts.

        It shows how much memory a student takes: activations are freed after the step, gradients and momentum stay
        until `free_step_memory`.
        """
        with unchanged(self.distillation):
            try:
                self.move_to(sum(phase.epochs for phase in self.phases[:-1]))  # distillation itself
                self.begin_epoch()
                self.train_step(replace(batch, epoch=float(self.epoch)), outputs)
            finally:
                self.move_to(0)

    def free_step_memory(self) -> None:
        """Free the memory that only steps need: gradients and momentum."""
        self._optimizer = None
        self.distillation.zero_grad(set_to_none=True)

    def check_finite(self) -> None:
        """Look for NaN and infinity in losses and weights; waits for the device.

        Raises:
            ArithmeticError: If there are any.
        """
        term, step = self.meter.first_not_finite() or (None, self.step)
        state = [*self.distillation.parameters(), *self.distillation.student.buffers()]
        if term is None and torch.stack([value.isfinite().all() for value in state]).all():
            return
        largest = max(means := self.meter.means(), key=means.__getitem__, default="none")
        what = f"the loss term {term}" if term else f"a weight (the largest loss term is {largest})"
        way_out = f"lower --lr or {term or largest}'s weight, or limit the gradient with --clip_norm"
        if term and step == 1 and self.epoch == 0:  # before any step has changed anything
            way_out = f"check the arguments of {term} and the initial weights"
        raise ArithmeticError(
            f"{self.name}: {what} became NaN or inf at epoch {self.epoch + 1}, step {step}; {self.run.describe()}: "
            f"{way_out}"
        )

    def end_epoch(self, measured: Mapping[str, float], seconds: float) -> Row:
        """Close an epoch: a row of metrics, a point to resume from, the best network so far."""
        self.check_finite()  # before anything is written
        phase, _ = self.phase_at(self.epoch)
        losses = self.meter.means()
        observed = {
            f"{name}.{what}": value.item()
            for name, method in self.distillation.named_methods()
            for what, value in method.observations().items()
        }
        lr = self.optimizer.lr
        for name, value in {**observed, **measured}.items():
            if not math.isfinite(value):
                raise ArithmeticError(
                    f"{self.name}: {name} is {value} after epoch {self.epoch + 1}; {self.run.describe()}: lower --lr, "
                    f"or limit the gradient with --clip_norm"
                )
        row: Row = {"epoch": self.epoch + 1, "phase": phase.name, "lr": lr, "loss": sum(losses.values()), **losses}
        row |= {**observed, **measured, "seconds": round(seconds, 3)}
        self.rows.append(row)
        self.seconds += seconds
        self.move_to(self.epoch + 1)
        if phase is self.phases[-1] and measured["top1"] > self.best[0]:
            self.best = (measured["top1"], self.epoch)
            self.run.save_best(self.model, self.about | {"epoch": self.epoch})
        self.save()
        self.run.chart(row)
        return row

    def save(self) -> None:
        """Write everything needed to resume from here; refused if a loss or a weight is NaN or infinite."""
        self.check_finite()
        state = SavedState(
            position=(self.epoch, self.step),
            seconds=self.seconds,
            best=self.best,
            losses=self.meter.state(),
            distillation=self.distillation.state_dict(),
            optimizer=self.optimizer.state_dict(),
            run=self.run.folder.name,
            rows=rows_checksum(self.rows),
        )
        self.run.save(state.to_dict(), self.rows)

    def resume(self) -> bool:
        """Resume from the run folder; return False if there is nothing to resume from.

        Raises:
            ValueError: If its files are damaged, or belong to another run.
        """
        if self.run.is_done:
            self._load_finished()
            return True
        saved = read_saved(self.run)
        if saved is None:
            return False
        (state, self.rows), self.threads_before = saved, saved[0].threads
        try:
            self._load(state)
        except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            raise cannot_resume(self.run, str(error)) from error
        return True

    def _load(self, state: SavedState) -> None:
        (self.epoch, self.step), self.seconds, self.best = state.position, state.seconds, state.best
        if self.epoch > self.epochs:
            raise ValueError(f"it is at epoch {self.epoch} of {self.epochs}")
        self.distillation.load_state_dict(state.distillation)
        self.optimizer.load_state_dict(state.optimizer)
        self.meter.restore(state.losses, next(self.distillation.parameters()).device)
        if self.meter.steps != self.step:
            raise ValueError(f"it is at step {self.step} and has the losses of {self.meter.steps}")
        if not all(value.isfinite().all() for value in self.distillation.parameters()):
            raise ValueError("its weights contain NaN or infinity")

    def _load_finished(self) -> None:
        """Load the weights and measurements of a finished run, so that nothing is trained again."""
        self.best, self.rows = load_finished(self.run, self.model, self.distillation.methods)
        self.move_to(self.epochs)

"""`Distiller`: student, teacher and methods as one module, for a training loop of your own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .. import distributed
from ..batch import Batch, DataInfo
from ..distillation import Distillation, Phase, mean_loss, tapped
from ..method import Method
from ..methods.wrappers.delegating import Delegating
from ..taps import Outputs, Tapped
from ..training.config import TrainConfig
from ..training.optimizer import Optimizer
from .outputs import gathered_batch, gathered_outputs, outputs_of, with_batch_statistics
from .uncompiled import calls_compiled, uncompiled
from .unknown import UnknownIndices, UnknownLabels, unknown

_IDLE = (Method.after_step, Delegating.after_step)
Images = tuple[Tensor, ...]  # images, labels, perhaps indices


class Step(NamedTuple):
    """Outcome of a training step."""

    loss: Tensor  # (), the sum of the terms
    terms: dict[str, Tensor]  # () each, by method, weights included
    logits: Tensor  # (N, C), the student's


class Distiller(nn.Module):
    """A student, its teacher and its methods as one module: images and labels in, the loss out.

        distiller = Distiller(student, teacher, [CE(), KD(), AT()], DataInfo(10, 32, train_labels))
        optimizer = SGD(distiller.groups(lr=0.05, weight_decay=5e-4), momentum=0.9)
        for epoch in range(epochs):
            distiller.train()
            distiller.begin_epoch(epoch)
            for images, labels, indices in loader:
                optimizer.zero_grad()
                distiller(images, labels, indices).loss.backward()
                optimizer.step()
                distiller.after_step()
        torch.save(distiller.deploy().state_dict(), "student.pt")

    Its parameters are those of the student and of what its methods train, such as connectors. The teacher moves to
    devices with it, but has no gradient, stays in eval mode, and is in neither `parameters()` nor the state dict. The
    networks run under the caller's autocast; losses are computed in float32.

    Where several processes train together (DistributedDataParallel, Accelerate, Lightning), each on batches of its own
    of one size, outputs are gathered: losses that compare images and memories of methods are those of one process with
    the whole batch. The student's BatchNorms are the host's business.

    `torch.compile(distiller)`, or `distiller.compile()`, compiles both networks and leaves the losses alone.

    Args:
        student: The network to train.
        teacher: The trained network. None if no method needs one.
        methods: Their weighted losses are added up.
        data: Facts about the data; `batch_size` is that of all processes together.

    Raises:
        ValueError: If a method refuses this pair of networks; the message says why.
    """

    def __init__(self, student: nn.Module, teacher: nn.Module | None, methods: Sequence[Method], data: DataInfo):
        super().__init__()
        net = None if teacher is None else tapped(teacher, data)
        self.distillation = Distillation(student, net, methods, data)
        self._seed = data.seed
        self._teachers: tuple[Tapped, ...] = ()  # a tuple, so that it is not a part of this module
        if net is not None:
            net.eval().requires_grad_(False)
            wants_statistics = self.distillation.teacher_mode == "batch_stats"
            self._teachers = (with_batch_statistics(net) if wants_statistics else net,)
        self._steps = 0  # forward passes in train mode so far
        self._epoch, self._steps_of_epoch, self._begun_at = -1, 0, 0
        self._batch: Batch | None = None  # of the latest step, until `after_step`
        self._is_resumed = False  # a checkpoint was loaded, and no epoch has begun since
        self._was_followed = False  # `after_step` was called in this epoch
        methods_inside = [part for part in self.modules() if isinstance(part, Method)]
        self._follows = any(type(one).after_step not in _IDLE for one in methods_inside)
        self._is_warm = not self.distillation.warmups
        if self._is_warm:
            self._freeze()

    @property
    def student(self) -> nn.Module:
        """The network in training, as it was given."""
        return self.distillation.student.model

    def deploy(self) -> nn.Module:
        """Return the network to ship: the student and any layers that its methods add to it; no connectors."""
        return self.distillation.deploy()

    def groups(self, lr: float, weight_decay: float) -> list[dict[str, Any]]:
        """Return parameter groups for an optimiser, with the settings that methods have for their own parameters."""
        return [
            {
                "params": list(group.parameters),
                "lr": lr * group.lr_scale,
                "weight_decay": weight_decay if group.weight_decay is None else group.weight_decay,
            }
            for group in self._last_phase().groups
        ]

    def begin_epoch(self, epoch: int, steps: int = 0) -> None:
        """Tell the methods that an epoch begins; call this before its first step.

        After a checkpoint from the middle of this epoch was loaded, the epoch goes on.

        Args:
            epoch: Counted from 0.
            steps: Steps of the epoch, for methods whose schedules move in every step; 0: once an epoch.

        Raises:
            ValueError: If a method follows the student, and `after_step` was not called.
        """
        if self._follows and not self._was_followed and self._steps > self._begun_at:
            raise ValueError("a method follows the student after each step; call after_step() after optimizer.step()")
        goes_on, self._is_resumed = self._is_resumed and epoch == self._epoch, False
        if goes_on:
            return
        self._epoch, self._steps_of_epoch, self._begun_at = epoch, steps, self._steps
        self._was_followed = False
        self.distillation.begin_epoch(epoch)

    def after_step(self) -> None:
        """Tell the methods that the optimiser has stepped."""
        if self._batch is not None:
            self.distillation.after_step(self._batch)
        self._batch, self._was_followed = None, True

    @calls_compiled
    def forward(
        self, images: Tensor, labels: Tensor, indices: Tensor | None = None, strong: Tensor | None = None
    ) -> Step:
        """Run both networks and return the loss.

        Args:
            images: (N, 3, H, W), normalised as both networks expect.
            labels: (N,) int64; (N, C) for mixed images, which methods that read labels refuse.
            indices: (N,) int64, positions in the training set, for methods with a memory.
            strong: (N, 3, H, W), a strongly augmented view, for methods that compare two.

        Raises:
            ValueError: If a method reads what is not known, or must first be warmed up.
        """
        if self.training and self._epoch < 0:
            raise ValueError("call begin_epoch(epoch) before the first step of each epoch")
        if not self._is_warm:
            names = " and ".join(dict.fromkeys(name for name, _ in self.distillation.warmups))
            raise ValueError(f"{names} must train before distillation begins; call warm_up(loader)")
        batch = self._batch_of(images, labels, indices, strong, self._epoch)
        return self._step(*self._outputs(batch), batch)

    def warm_up(self, batches: Iterable[Images], config: TrainConfig | None = None) -> None:
        """Train what some methods need before distillation, such as FT's paraphrasers; others need nothing.

        Args:
            batches: Yields (images, labels) or (images, labels, indices), once for every epoch; they are moved to the
                device of the student.
            config: Settings of SGD where a method has none of its own.
        """
        was_training, device = self.training, next(self.parameters()).device
        self.train()
        for phase, (name, warmup) in zip(self.distillation.phases(1)[:-1], self.distillation.warmups, strict=True):
            optimizer = Optimizer(phase, config or TrainConfig())
            for epoch in range(phase.epochs):
                self.distillation.eval()
                for module in phase.trains:
                    module.train()
                self.distillation.begin_epoch(epoch)
                for images, labels, *indices in batches:
                    moved = [one.to(device) for one in (images, labels, *indices)]
                    batch = self._batch_of(moved[0], moved[1], moved[2] if indices else None, None, epoch)
                    loss = warmup.loss(*self._losses_read(*self._outputs(batch), batch))
                    optimizer.set_lr(epoch)
                    optimizer.step({name: mean_loss(name, loss)})
                    self._steps += 1
        self.distillation.zero_grad(set_to_none=True)
        self._is_warm = True
        self._freeze()
        self.train(was_training)

    def get_extra_state(self) -> Tensor:
        """Return what a checkpoint keeps beside parameters and buffers."""
        return torch.tensor([self._steps, int(self._is_warm), self._epoch, self._steps_of_epoch, self._begun_at])

    def set_extra_state(self, state: Tensor) -> None:
        """Continue from a checkpoint: methods draw the random numbers of the steps to come."""
        self._steps, is_warm, *position = map(int, state.tolist())
        if position:  # checkpoints of version 0.1.0 have none
            self._epoch, self._steps_of_epoch, self._begun_at = position
        self._is_warm, self._is_resumed, self._was_followed = bool(is_warm), bool(position), True
        if self._is_warm:
            self._freeze()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Distiller:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call] # in PyTorch
        for teacher in self._teachers:
            teacher._apply(fn)  # type: ignore[no-untyped-call] # in PyTorch
        return self

    def _last_phase(self) -> Phase:
        return self.distillation.phases(1)[-1]

    def _freeze(self) -> None:
        """Leave the parameters alone that distillation does not train."""
        trained = {id(parameter) for group in self._last_phase().groups for parameter in group.parameters}
        for parameter in self.distillation.parameters():
            if id(parameter) not in trained:
                parameter.requires_grad_(False)

    @uncompiled
    def _step(self, student: Outputs, teacher: Outputs, batch: Batch) -> Step:
        read = self._losses_read(student, teacher, batch)
        terms = self.distillation.losses(*read)
        if self.training:
            self._steps, self._batch = self._steps + 1, read[2]
        return Step(torch.stack(list(terms.values())).sum(), terms, student.logits)

    @uncompiled
    def _batch_of(
        self, images: Tensor, labels: Tensor, indices: Tensor | None, strong: Tensor | None, epoch: int
    ) -> Batch:
        labels = unknown(UnknownLabels) if labels.is_floating_point() else labels
        indices = unknown(UnknownIndices) if indices is None else indices
        share = (self._steps - self._begun_at) / self._steps_of_epoch if self._steps_of_epoch else 0.0
        if not self.distillation.needs_strong_view:
            strong = None
        return Batch(images, labels, indices, strong=strong, epoch=epoch + share, step=self._steps, seed=self._seed)

    def _outputs(self, batch: Batch) -> tuple[Outputs, Outputs]:
        """Return the outputs of student and teacher for this process's images."""
        student = outputs_of(self.distillation.student, batch)
        if not self._teachers:
            return student, student
        with torch.no_grad():
            return student, outputs_of(self._teachers[0], batch)

    def _losses_read(self, student: Outputs, teacher: Outputs, batch: Batch) -> tuple[Outputs, Outputs, Batch]:
        """Return what losses are computed from: in train mode the outputs and images of all processes."""
        if not self.training or distributed.world_size() == 1:
            return student, teacher, batch
        return gathered_outputs(student), gathered_outputs(teacher), gathered_batch(batch)

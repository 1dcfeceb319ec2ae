"""Laws about masked samples: those that `Batch.active` leaves out of a loss, for example in `SpotAdaptive`."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ..batch import Batch
from ..method import Spot, SpotMethod
from ..taps import Outputs
from .outputs import close, parts, with_parts
from .specimens import BATCH
from .trial import Broken, NotApplicable, Subject

_KEEP = torch.tensor([0, 2, 3, 6])
_ACTIVE = torch.zeros(BATCH).index_fill(0, _KEEP, 1.0)


class _Masked:
    """A trial's outputs and batch with some samples masked; the same with these replaced, and without them."""

    def __init__(self, subject: Subject):
        self.trial = subject.trial()
        if not isinstance(self.trial.method, SpotMethod):
            raise NotApplicable("it is not a SpotMethod, so it is never given a mask")
        one, other = subject.batch(0), subject.batch(1)
        (student, teacher), (student2, teacher2) = self.trial.outputs(one), self.trial.outputs(other)
        self.masked = student, teacher, replace(one, active=_ACTIVE)
        self.others = _mixed(student, student2), _mixed(teacher, teacher2), _mixed_batch(one, other)
        self.without = student.rows(_KEEP), teacher.rows(_KEEP), one.rows(_KEEP)

    def spots(self) -> Iterator[Spot]:
        yield from self.trial.method.spots

    def ask(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss at a spot, (N,) or (), and the method's buffers afterwards, with a fresh start each time."""
        method = self.trial.twin().method.train()
        assert isinstance(method, SpotMethod)
        for module in method.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()  # in train mode it would see all samples, which is allowed
        loss = method.loss_at(spot, student, teacher, batch)
        return loss, dict(method.named_buffers())

    def draws(self, spot: Spot) -> bool:
        """Tell whether the loss uses random numbers: a batch without the masked samples would draw others."""
        student, teacher, batch = self.masked
        (loss, _), (later, _) = (
            self.ask(spot, student, teacher, replace(batch, step=batch.step + step)) for step in (0, 1)
        )
        return not torch.equal(loss, later)


def do_not_affect_the_loss(subject: Subject) -> str:
    masked = _Masked(subject)
    student, teacher, batch = masked.masked
    for spot in masked.spots():
        inputs = [part.detach().requires_grad_() for part in parts(student)]
        loss, _ = masked.ask(spot, with_parts(student, inputs), teacher, batch)
        counted, other = _counted(loss), _counted(masked.ask(spot, *masked.others)[0])
        if not close(counted, other):
            numbers = f"{counted.sum():.6g}, and {other.sum():.6g} with other samples masked"
            raise Broken(f"at {spot.student} it is {numbers}; leave out those where batch.active is 0")
        if loss.ndim == 0 and not close(loss, alone := masked.ask(spot, *masked.without)[0]):
            raise Broken(f"at {spot.student} it is {loss:.6g} with masked samples and {alone:.6g} without them")
        gradients = torch.autograd.grad(counted.sum(), inputs, allow_unused=True) if loss.requires_grad else []
        if any(gradient is not None and gradient[_ACTIVE == 0].any() for gradient in gradients):
            raise Broken(f"at {spot.student} masked samples get a gradient")
        nobody, _ = masked.ask(spot, student, teacher, replace(batch, active=torch.zeros(BATCH)))
        masked.trial.gradients({f"all samples masked at {spot.student}": nobody.sum() * (0 if nobody.ndim else 1)})
    return ""


def are_not_remembered(subject: Subject) -> str:
    masked = _Masked(subject)
    before = {name: buffer.clone() for name, buffer in masked.trial.method.named_buffers()}
    remembered: set[str] = set()
    for spot in masked.spots():
        _, after = masked.ask(spot, *masked.masked)
        remembered |= _changed(before, after)
        wrong = _changed(after, masked.ask(spot, *masked.others)[1])
        if not wrong and not masked.draws(spot):
            wrong = _changed(after, masked.ask(spot, *masked.without)[1])
        if wrong:
            raise Broken(f"{min(wrong)} depends on masked samples; update it only where batch.active is 1")
    if not remembered:
        raise NotApplicable("it remembers nothing of a batch")
    return ""


def _counted(loss: Tensor) -> Tensor:
    """Return the part of a loss that counts: (N,) -> (active,), as the caller masks it; () -> ()."""
    return loss[_KEEP] if loss.ndim else loss


def _mixed(one: Outputs, other: Outputs) -> Outputs:
    return with_parts(one, (_rows_of_both(a, b) for a, b in zip(parts(one), parts(other), strict=True)))


def _mixed_batch(one: Batch, other: Batch) -> Batch:
    fields = ("images", "labels", "indices", "views", "strong")
    pairs = {name: (getattr(one, name), getattr(other, name)) for name in fields}
    mixed: dict[str, Any] = {name: _rows_of_both(a, b) for name, (a, b) in pairs.items() if a is not None}
    return replace(one, active=_ACTIVE, **mixed)


def _rows_of_both(one: Tensor, other: Tensor) -> Tensor:
    """(N, ...), (N, ...) -> (N, ...), the active rows of the first and the masked rows of the second"""
    mixed = other.clone()
    mixed[_KEEP] = one[_KEEP]
    return mixed


def _changed(one: dict[str, Tensor], other: dict[str, Tensor]) -> set[str]:
    return {name for name in one if not close(one[name].nan_to_num(), other[name].nan_to_num())}

"""Subjects for the laws: methods that somebody could have written, and the sentences with which they are refused."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from stillhouse.batch import Batch, DataInfo
from stillhouse.contract import Broken, NotApplicable, Subject
from stillhouse.method import LogitMethod, Method, RelationalMethod, Spot
from stillhouse.methods.parse import MethodSpec
from stillhouse.taps import Outputs

Try = Callable[[Subject], str]


def subject(cls: type[Method], **arguments: object) -> Subject:
    return Subject(MethodSpec(cls.__name__, cls, arguments))


def sentence(law: Try, cls: type[Method]) -> str:
    """Return the sentence with which a method breaks a law."""
    with pytest.raises(Broken) as broken:
        law(subject(cls))
    return str(broken.value)


def reason(law: Try, cls: type[Method]) -> str:
    """Return why a law does not apply to a method."""
    with pytest.raises(NotApplicable) as reason:
        law(subject(cls))
    return str(reason.value)


class Squares(LogitMethod):
    """A squared difference of logits: nothing is wrong with it."""

    def __init__(self) -> None:
        super().__init__(1.0)

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return (student - teacher).square().sum(1)


class Remembering(Squares):
    """Compares with what was remembered of an image, and remembers active samples only: nothing is wrong with it."""

    bank: Tensor

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        self.register_buffer("bank", torch.zeros(len(data.labels), data.num_classes))

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        loss = self.loss(student.logits, teacher.logits - self.bank[batch.indices], batch.labels)
        if self.training:
            self.remember(teacher.logits.detach(), batch)
        return loss

    def remember(self, logits: Tensor, batch: Batch) -> None:
        active = slice(None) if batch.active is None else batch.active > 0
        self.bank[batch.indices[active]] = logits[active]


class RemembersMasked(Remembering):
    """Remembers all samples of a batch, the masked ones as well; its loss is (N,)."""

    def remember(self, logits: Tensor, batch: Batch) -> None:
        self.bank[batch.indices] = logits


class CountsMasked(Remembering):
    """Divides a sum over active samples by the size of the whole batch."""

    def remember(self, logits: Tensor, batch: Batch) -> None:
        active = torch.ones(len(logits)) if batch.active is None else batch.active
        self.bank += (active[:, None] * logits).sum(0) / len(logits)


class Centred(Squares):
    """Returns (N,), but each sample's loss depends on all others, masked or not."""

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return (student - student.mean(0) - teacher).square().sum(1)


class Leaking(Squares):
    """Right in its values, but masked samples get a gradient."""

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return super().loss(student, teacher, labels) + (student - student.detach()).sum()


class Deaf(RelationalMethod):
    """Compares all samples with each other, whatever the mask is."""

    def __init__(self) -> None:
        super().__init__(1.0, "embedding")

    def loss(self, student: Tensor, teacher: Tensor, active: Tensor | None = None) -> Tensor:
        return (student @ student.T - teacher @ teacher.T).square().mean()


class Careless(Deaf):
    """Divides by the number of active samples, which may be 0."""

    def loss(self, student: Tensor, teacher: Tensor, active: Tensor | None = None) -> Tensor:
        active = torch.ones(len(student)) if active is None else active
        alike = (student @ student.T - teacher @ teacher.T).square()
        return (active[:, None] * active * alike).sum() / active.sum().square()


class Diluted(Deaf):
    """Sums over active samples, but divides by the size of the whole batch."""

    def loss(self, student: Tensor, teacher: Tensor, active: Tensor | None = None) -> Tensor:
        active = torch.ones(len(student)) if active is None else active
        return (active * (student.mean(1) - teacher.mean(1)).square()).sum() / len(student)

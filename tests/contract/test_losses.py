"""Each law about losses finds what it is there to find."""

import random
import time

import numpy
import pytest
import torch
from torch import Tensor

from stillhouse.batch import Batch
from stillhouse.contract import losses
from stillhouse.method import FeatureMethod, LogitMethod, RelationalMethod
from stillhouse.methods import AT, CE, CRD, KD, SP
from stillhouse.taps import Outputs

from .bad import sentence, subject


class Plain(LogitMethod):
    """A squared difference of logits: nothing is wrong with it."""

    def __init__(self) -> None:
        super().__init__(1.0)

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return (student - teacher).square().sum(1)


class Column(Plain):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return super().loss(student, teacher, labels)[:, None]


class Count(Plain):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return (student.argmax(1) != labels).sum()


def test_losses_are_by_sample_or_one() -> None:
    assert losses.is_by_sample_or_one(subject(Plain)) == ""
    assert losses.is_by_sample_or_one(subject(SP)) == ""
    assert sentence(losses.is_by_sample_or_one, Column).startswith("for 7 images it returns (7, 1) of torch.float32;")
    assert "() of torch.int64" in sentence(losses.is_by_sample_or_one, Count)


class InPlace(Plain):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return super().loss(student, teacher.mul_(2), labels)


def test_what_networks_said_is_left_alone() -> None:
    assert losses.leaves_what_it_reads(subject(Plain)) == ""
    assert "work on a copy" in sentence(losses.leaves_what_it_reads, InPlace)


class Length(Plain):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return (student.square().sum(1).sqrt() - 1).square()  # the root has no gradient at 0


class Cosine(Plain):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        lengths: Tensor = student.norm(dim=1) * teacher.norm(dim=1)
        return 1 - (student * teacher).sum(1) / lengths


def test_zeros_spoil_losses_that_divide_by_them() -> None:
    assert losses.survives_zeros(subject(Plain)) == ""
    assert "the gradient of" in sentence(losses.survives_zeros, Length)
    assert sentence(losses.survives_zeros, Cosine) == "the loss is nan (all zeros)"


class Distance(Plain):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return super().loss(student, teacher, labels).sqrt()


def test_equal_networks_cost_nothing_or_it_is_said_what() -> None:
    for cls in (Plain, KD, AT):
        assert losses.is_zero_between_equals(subject(cls)) == ""
    assert losses.is_zero_between_equals(subject(CE)).startswith("it costs ")
    assert "the gradient of" in sentence(losses.is_zero_between_equals, Distance)  # at the goal, of all places


class Detached(Plain):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return (student * student.detach()).sum(1)


class Reversed(Plain):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        loss = super().loss(student, teacher, labels)
        return 2 * loss.detach() - loss


class Constant(Plain):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return 0 * student.sum(1)


def test_a_gradient_of_something_else_is_noticed() -> None:
    assert losses.follows_its_gradient(subject(Plain)) == ""
    assert losses.follows_its_gradient(subject(CRD)) == ""  # its gradient is written by hand
    assert (
        losses.follows_its_gradient(subject(Detached)) == "along its gradient it rises by 2 of what the gradient says"
    )
    assert (
        losses.follows_its_gradient(subject(Reversed)) == "along its gradient it rises by -1 of what the gradient says"
    )
    assert losses.follows_its_gradient(subject(Constant)) == "the student gets no gradient"


class Neighbours(Plain):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return (student - student.roll(1, dims=0)).square().sum(1)


def test_the_order_of_a_batch_matters_to_some() -> None:
    for cls in (Plain, AT, SP):
        assert losses.ignores_order(subject(cls)) == ""
    assert losses.ignores_order(subject(Neighbours)) == "it depends on the order of the batch"
    assert losses.ignores_order(subject(CRD)).endswith(", as it draws random numbers for each place in it")


class Storage(FeatureMethod):
    def __init__(self) -> None:
        super().__init__(1.0, "stage2")

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        first = student.as_strided((len(student), 30), (student.stride(0), 1))  # the first that come to hand
        return first.square().sum(1)


def test_methods_that_read_the_storage_are_caught() -> None:
    assert losses.ignores_memory_format(subject(AT)) == ""
    assert "for channels_last; use reshape" in sentence(losses.ignores_memory_format, Storage)


class GlobalTorch(Plain):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return super().loss(student + torch.randn_like(student), teacher, labels)


class GlobalNumpy(Plain):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return super().loss(student, teacher, labels) * float(numpy.random.rand())


class GlobalPython(Plain):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return super().loss(student, teacher, labels) * random.random()


class Clock(Plain):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return super().loss(student, teacher, labels) * (
            1e6 * time.perf_counter() % 1
        )  # whole seconds have no digits left in float32


class Drawing(Plain):
    def loss_at(self, spot: object, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        noise = torch.randn(student.logits.shape, generator=batch.generator("noise"))
        return self.loss(student.logits + noise, teacher.logits, batch.labels)


def test_random_numbers_come_from_the_batch() -> None:
    assert losses.draws_from_the_batch(subject(Drawing)) == ""
    for cls, whose in ((GlobalTorch, "PyTorch"), (GlobalNumpy, "NumPy"), (GlobalPython, "Python")):
        assert sentence(losses.draws_from_the_batch, cls).startswith(f"it draws {whose}'s global random numbers")
    assert sentence(losses.draws_from_the_batch, Clock).startswith("two calls at the same step differ")


class Sly(Plain):
    @property
    def needs_teacher(self) -> bool:
        return False


@pytest.mark.parametrize("cls", [Plain, CE])
def test_methods_that_know_whether_they_need_a_teacher(cls: type[Plain | CE]) -> None:
    assert losses.knows_whether_it_needs_a_teacher(subject(cls)) == ""


def test_methods_that_do_not_know_whether_they_need_a_teacher() -> None:
    assert sentence(losses.knows_whether_it_needs_a_teacher, Sly).startswith("needs_teacher is False")
    assert (
        losses.knows_whether_it_needs_a_teacher(subject(Detached)) == "the loss is the same whatever the teacher says"
    )


class Deaf(RelationalMethod):
    def __init__(self) -> None:
        super().__init__(1.0, "embedding")

    def loss(self, student: Tensor, teacher: Tensor, active: Tensor | None = None) -> Tensor:
        return (student @ student.T - teacher @ teacher.T).square().mean()


class Careless(Deaf):
    def loss(self, student: Tensor, teacher: Tensor, active: Tensor | None = None) -> Tensor:
        active = torch.ones(len(student)) if active is None else active
        alike = (student @ student.T - teacher @ teacher.T).square()
        return (active[:, None] * active * alike).sum() / active.sum().square()


def test_samples_that_are_off_must_not_count() -> None:
    assert losses.can_leave_samples_out(subject(SP)) == ""
    assert "with the others off and" in sentence(losses.can_leave_samples_out, Deaf)
    assert sentence(losses.can_leave_samples_out, Careless) == "the loss is nan (all samples off at embedding)"

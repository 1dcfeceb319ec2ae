"""Each law about losses finds what it is there to find."""

import random
import time

import numpy
import pytest
import torch
from torch import Tensor

from stillhouse.batch import Batch, DataInfo
from stillhouse.contract import losses
from stillhouse.method import FeatureMethod
from stillhouse.methods import AT, CE, CRD, KD, SP
from stillhouse.taps import Outputs

from .bad import Squares, reason, sentence, subject


class Column(Squares):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return super().loss(student, teacher, labels)[:, None]


class Count(Squares):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return (student.argmax(1) != labels).sum()


def test_a_loss_of_another_shape_or_type_is_wrong() -> None:
    assert losses.has_the_right_shape(subject(Squares)) == ""
    assert losses.has_the_right_shape(subject(SP)) == ""
    assert sentence(losses.has_the_right_shape, Column).startswith("for 7 images it is (7, 1) of torch.float32;")
    assert "() of torch.int64" in sentence(losses.has_the_right_shape, Count)


class InPlace(Squares):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return super().loss(student, teacher.mul_(2), labels)


def test_changing_outputs_in_place_is_wrong() -> None:
    assert losses.does_not_modify_outputs(subject(Squares)) == ""
    assert "work on a copy" in sentence(losses.does_not_modify_outputs, InPlace)


class Length(Squares):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return (student.square().sum(1).sqrt() - 1).square()  # the root has no gradient at 0


class Cosine(Squares):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        lengths: Tensor = student.norm(dim=1) * teacher.norm(dim=1)
        return 1 - (student * teacher).sum(1) / lengths


def test_losses_that_divide_by_zero_are_wrong() -> None:
    assert losses.is_finite_for_zeros(subject(Squares)) == ""
    assert "the gradient of" in sentence(losses.is_finite_for_zeros, Length)
    assert sentence(losses.is_finite_for_zeros, Cosine) == "the loss is nan (all zeros)"


class Narrowing(Squares):
    """Refuses a student that is as wide as its teacher."""

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        if student.net.head.in_features == teacher.net.head.in_features:
            raise ValueError("the student is wide")


class Distance(Squares):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return super().loss(student, teacher, labels).sqrt()


def test_identical_networks_have_a_loss_of_0_or_a_note_with_the_numbers() -> None:
    for cls in (Squares, KD, AT):
        assert losses.is_zero_for_identical_networks(subject(cls)) == ""
    assert losses.is_zero_for_identical_networks(subject(CRD)).startswith("got ")
    assert reason(losses.is_zero_for_identical_networks, CE) == "it does not use the teacher"
    assert reason(losses.is_zero_for_identical_networks, Narrowing) == "it refuses them: Narrowing: the student is wide"
    assert "the gradient of" in sentence(losses.is_zero_for_identical_networks, Distance)  # at the goal, of all places


class Detached(Squares):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return (student * student.detach()).sum(1)


class Reversed(Squares):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        loss = super().loss(student, teacher, labels)
        return 2 * loss.detach() - loss


class Constant(Squares):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return 0 * student.sum(1)


def test_a_gradient_of_something_else_gets_a_note() -> None:
    assert losses.agrees_with_its_gradient(subject(Squares)) == ""
    assert losses.agrees_with_its_gradient(subject(CRD)) == ""  # its gradient is written by hand
    for cls, times in ((Detached, 2), (Reversed, -1)):
        note = losses.agrees_with_its_gradient(subject(cls))
        assert note == f"along the gradient the loss rises by {times} times as much as the gradient says"
    assert losses.agrees_with_its_gradient(subject(Constant)) == "the student gets no gradient"


class Neighbours(Squares):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return (student - student.roll(1, dims=0)).square().sum(1)


def test_depending_on_the_order_of_the_batch_gets_a_note() -> None:
    for cls in (Squares, AT, SP):
        assert losses.ignores_order(subject(cls)) == ""
    assert losses.ignores_order(subject(Neighbours)) == "the loss depends on it"
    assert losses.ignores_order(subject(CRD)).endswith(", because random numbers are drawn for each place in it")


class Storage(FeatureMethod):
    def __init__(self) -> None:
        super().__init__(1.0, "stage2")

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        first = student.as_strided((len(student), 30), (student.stride(0), 1))  # the first that come to hand
        return first.square().sum(1)


def test_reading_the_storage_is_wrong() -> None:
    assert losses.ignores_memory_format(subject(AT)) == ""
    assert "for channels_last features; use reshape" in sentence(losses.ignores_memory_format, Storage)
    assert reason(losses.ignores_memory_format, KD) == "it reads no feature maps"


class GlobalTorch(Squares):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return super().loss(student + torch.randn_like(student), teacher, labels)


class GlobalNumpy(Squares):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return super().loss(student, teacher, labels) * float(numpy.random.rand())


class GlobalPython(Squares):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return super().loss(student, teacher, labels) * random.random()


class Clock(Squares):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return super().loss(student, teacher, labels) * (
            1e6 * time.perf_counter() % 1
        )  # whole seconds have no digits left in float32


class Drawing(Squares):
    def loss_at(self, spot: object, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        noise = torch.randn(student.logits.shape, generator=batch.generator("noise"))
        return self.loss(student.logits + noise, teacher.logits, batch.labels)


def test_random_numbers_from_elsewhere_are_wrong() -> None:
    assert losses.draws_from_the_batch(subject(Drawing)) == ""
    for cls, whose in ((GlobalTorch, "PyTorch"), (GlobalNumpy, "NumPy"), (GlobalPython, "Python")):
        assert sentence(losses.draws_from_the_batch, cls).startswith(f"it uses {whose}'s global generator")
    assert sentence(losses.draws_from_the_batch, Clock).startswith("two calls at the same step differ")


class Sly(Squares):
    @property
    def needs_teacher(self) -> bool:
        return False


@pytest.mark.parametrize("cls", [Squares, CE])
def test_good_methods_know_whether_they_need_a_teacher(cls: type[Squares | CE]) -> None:
    assert losses.knows_whether_it_needs_a_teacher(subject(cls)) == ""


def test_claiming_not_to_need_a_teacher_is_wrong_and_claiming_to_need_one_gets_a_note() -> None:
    assert sentence(losses.knows_whether_it_needs_a_teacher, Sly).startswith("needs_teacher is False")
    assert losses.knows_whether_it_needs_a_teacher(subject(Detached)).endswith(
        "the loss does not depend on the teacher's outputs"
    )

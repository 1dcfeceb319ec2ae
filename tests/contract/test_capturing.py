"""The law about CUDA graphs finds what cannot be captured, and says where."""

import torch
from torch import Tensor

from stillhouse.batch import Batch
from stillhouse.contract import capturing
from stillhouse.method import Spot
from stillhouse.methods import AB, AT, KD, KDSVD, MLKD
from stillhouse.taps import Outputs

from .bad import subject

law = capturing.can_be_captured


class Waiting(KD):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return super().loss(student, teacher, labels) / max(1.0, float(teacher.std()))


class Late(KD):
    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        return super().loss_at(spot, student, teacher, batch) * (0.0 if batch.step < 100 else 1.0)


class Counting(KD):
    calls = 0

    def after_step(self, batch: Batch) -> None:
        self.calls += 1


class Moving(KD):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(6))

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        self.mean = teacher.mean(0)
        return super().loss(student, teacher - self.mean, labels)


def test_methods_that_ask_the_host_nothing_pass_in_all_their_phases() -> None:
    assert [law(subject(method)) for method in (KD, AT, AB, MLKD)] == [""] * 4


def test_others_are_told_why_they_run_without_a_graph() -> None:
    end = "; it trains without a graph instead"
    assert law(subject(Waiting)) == f"no, because it reads a number back (test_capturing.py, line 19){end}"
    late = f"no, because it reads batch.step, which would be a constant of the graph (test_capturing.py, line 24){end}"
    assert law(subject(Late)) == late
    assert law(subject(KDSVD)).startswith("no, because linalg_svd waits for the device (kdsvd.py, line ")
    assert law(subject(Counting)) == f"no, because it changes methods.Counting.calls; write into a buffer instead{end}"
    assert law(subject(Moving)) == f"no, because it changes methods.Moving.mean; write into a buffer instead{end}"

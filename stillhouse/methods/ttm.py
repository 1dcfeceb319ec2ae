"""Transformed teacher matching: flatten the teacher's probabilities but not the student's."""

from torch import Tensor

from ..method import LogitMethod
from ..ranges import Positive
from .layers.logits import divergence


class TTM(LogitMethod):
    """Knowledge Distillation Based on Transformed Teacher Matching (Zheng & Yang, ICLR 2024, arXiv:2402.11148).

    KL(t^exponent / sum_c t_c^exponent || s): a temperature of 1 / exponent on the teacher's side only. Used with CE at
    weight 1. Weight and exponent are those published for vgg13 -> vgg8; the paper tunes them to each pair.

    Args:
        exponent: Power to which the teacher's probabilities are raised.
    """

    def __init__(self, weight: float = 45.0, exponent: Positive = 0.1):
        super().__init__(weight)
        self.exponent = exponent

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return divergence(student, teacher * self.exponent)

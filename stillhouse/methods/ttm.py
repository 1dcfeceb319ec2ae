"""Transformed teacher matching: the teacher's probabilities are flattened, the student's are not."""

from torch import Tensor

from ..method import LogitMethod
from ..ranges import Positive
from .layers.logits import divergence


class TTM(LogitMethod):
    """Knowledge Distillation Based on Transformed Teacher Matching (Zheng & Yang, ICLR 2024, arXiv:2402.11148).

    KL(t^exponent / sum_c t_c^exponent || s): a temperature of 1 / exponent on the teacher's side only. Beside CE at 1;
    weight and exponent are those published for vgg13 -> vgg8, and are fitted to each pair.

    Args:
        exponent: Power that the teacher's probabilities are raised to.
    """

    def __init__(self, weight: float = 45.0, exponent: Positive = 0.1):
        super().__init__(weight)
        self.exponent = exponent

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return divergence(student, teacher * self.exponent)

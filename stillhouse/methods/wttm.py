"""Weighted transformed teacher matching: TTM that gives more weight where the teacher is unsure."""

import torch.nn.functional as F
from torch import Tensor

from ..method import LogitMethod
from ..ranges import Positive
from .layers.logits import divergence


class WTTM(LogitMethod):
    """Knowledge Distillation Based on Transformed Teacher Matching (Zheng & Yang, ICLR 2024, arXiv:2402.11148).

    U KL(t^exponent / U || s) with the power sum U = sum_c t_c^exponent of each sample, which is 1 where the teacher is
    certain and largest where its probabilities are uniform. Used with CE at weight 1. Weight and exponent are those
    published for vgg13 -> vgg8 (used there with CRD); the paper tunes them to each pair.

    Args:
        exponent: Power to which the teacher's probabilities are raised.
    """

    def __init__(self, weight: float = 4.0, exponent: Positive = 0.2):
        super().__init__(weight)
        self.exponent = exponent

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        log_powers = F.log_softmax(teacher, dim=1) * self.exponent
        return log_powers.exp().sum(1) * divergence(student, log_powers)

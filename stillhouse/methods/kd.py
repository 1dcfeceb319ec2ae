"""Knowledge distillation: match the teacher's softened class probabilities."""

import torch.nn.functional as F
from torch import Tensor

from ..method import LogitMethod


class KD(LogitMethod):
    """Distilling the Knowledge in a Neural Network (Hinton et al., NeurIPS workshop 2014, arXiv:1503.02531).

    KL(teacher || student) of the softened probabilities, times the square of the temperature. The CIFAR-100
    benchmark (Tian et al., ICLR 2020) weighs it 0.9 beside 0.1 of cross-entropy.

    Args:
        temperature: Divides both networks' logits.
    """

    def __init__(self, weight: float = 0.9, temperature: float = 4.0):
        super().__init__(weight)
        self.temperature = temperature

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        log_p = F.log_softmax(student / self.temperature, dim=1)
        log_q = F.log_softmax(teacher / self.temperature, dim=1)
        return F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(1) * self.temperature**2

"""Knowledge distillation: match the teacher's softened class probabilities."""

import torch.nn.functional as F
from torch import Tensor

from ..method import TemperedMethod
from ..ranges import Temperature
from .layers.logits import divergence


class KD(TemperedMethod):
    """Distilling the Knowledge in a Neural Network (Hinton et al., NeurIPS workshop 2014, arXiv:1503.02531).

    KL(teacher || student) of the softened probabilities, times the square of the temperature. The CIFAR-100
    benchmark (Tian et al., ICLR 2020) gives it weight 0.9, and cross-entropy 0.1.

    Args:
        temperature: Divides both networks' logits.
        cross_entropy: Do not subtract the teacher's entropy: other values, the same gradient. This is the form in
            PkuDavidGuan/Distillation, whose alpha is `CE(alpha), KD(1 - alpha, temperature=16, cross_entropy=True)`.
    """

    def __init__(self, weight: float = 0.9, temperature: Temperature = 4.0, cross_entropy: bool = False):
        super().__init__(weight, temperature)
        self.cross_entropy = cross_entropy

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        student, teacher = student / self.temperature, teacher / self.temperature
        if self.cross_entropy:
            return F.cross_entropy(student, F.softmax(teacher, dim=1), reduction="none") * self.temperature**2
        return divergence(student, teacher, self.temperature**2)

"""Normalised distillation: soft cross-entropy of the target class, and of the other classes among themselves."""

import torch.nn.functional as F
from torch import Tensor

from ..method import LogitMethod
from ..ranges import NonNegative, Temperature
from .layers.logits import without


class NKD(LogitMethod):
    """From Knowledge Distillation to Self-Knowledge Distillation (Yang et al., ICCV 2023, arXiv:2303.13005).

    -t_y log s_y - gamma temperature^2 sum_{c != y} t'_c log s'_c, where t' and s' are the softened probabilities of
    all classes but the label y, renormalised. It is a cross-entropy, so it does not reach 0. Used with CE at weight 1.

    Args:
        gamma: Weight of the other classes.
        temperature: Divides both networks' logits in the second term.
        all_classes: Let the second term cover all classes, including the label's, as in the authors' code, whose mask
            does not remove it (yzd-v/cls_KD, issue 16).
    """

    def __init__(
        self, weight: float = 1.0, gamma: NonNegative = 1.5, temperature: Temperature = 1.0, all_classes: bool = False
    ):
        super().__init__(weight)
        self.gamma, self.temperature, self.all_classes = gamma, temperature, all_classes

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        log_s, t = F.log_softmax(student, dim=1), F.softmax(teacher, dim=1)
        target = -(t * log_s).gather(1, labels[:, None]).squeeze(1)
        if not self.all_classes:
            student, teacher = without(student, labels), without(teacher, labels)
        log_s = F.log_softmax(student / self.temperature, dim=1)
        t = F.softmax(teacher / self.temperature, dim=1)
        return target - self.gamma * self.temperature**2 * (t * log_s).sum(1)

"""Cross-entropy: learn from the labels."""

import torch.nn.functional as F
from torch import Tensor

from ..method import LogitMethod


class CE(LogitMethod):
    """Cross-entropy with the labels; the teacher is ignored. A student trained on this alone is the baseline."""

    def __init__(self, weight: float = 1.0):
        super().__init__(weight)

    @property
    def needs_teacher(self) -> bool:
        return False

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(student, labels, reduction="none")

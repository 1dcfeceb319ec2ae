"""Logit standardisation: any logit method, on logits whose scale does not matter."""

from torch import Tensor

from ...method import LogitMethod
from ...ranges import NonNegative
from ..layers.logits import z_score
from .wrapper import Wrapper


class Standardized(Wrapper, LogitMethod):
    """Logit Standardization in Knowledge Distillation (Sun et al., CVPR 2024, arXiv:2403.01427).

    Each sample's logits, of both networks, are brought to mean 0 and standard deviation 1 before the base method
    compares them. Gradients flow through mean and deviation: the scale of the student's logits is left to CE, which is
    not wrapped.

    The paper multiplies weights by 9 and halves temperatures: `CE(0.1), Standardized(KD(weight=9, temperature=2))`.

    Args:
        base: The method that compares logits.
        unbiased: Divide by C - 1 in the deviation, as the authors' code does; the paper's algorithm divides by C.
        eps: Added to the deviation, as in the authors' code.
    """

    base: LogitMethod

    def __init__(self, base: LogitMethod, unbiased: bool = False, eps: NonNegative = 1e-7):
        super().__init__(base)
        self.unbiased, self.eps = unbiased, eps

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        student, teacher = (z_score(logits, self.unbiased, self.eps) for logits in (student, teacher))
        return self.base.loss(student, teacher, labels)

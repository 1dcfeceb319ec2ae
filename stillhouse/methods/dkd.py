"""Decoupled distillation: match the label's probability and the distribution over all other classes separately."""

from torch import Tensor

from ..method import TemperedMethod
from ..ranges import NonNegative, Temperature
from .layers.logits import binary, divergence, without


class DKD(TemperedMethod):
    """Decoupled Knowledge Distillation (Zhao et al., CVPR 2022, arXiv:2203.08679).

    temperature^2 (alpha KL(b_t || b_s) + beta KL(q_t || q_s)), where b = (p_y, 1 - p_y) for the label y and q are the
    probabilities of the other classes, renormalised. alpha = beta = 1 - p_y of the teacher would be KD.

    In the paper the weight rises over 20 epochs, `Ramped(DKD())`, with CE at weight 1, and beta is tuned to the pair:
    8 for confident teachers (resnet32x4, ResNet50), 6 for wrn_40_2 and vgg13, 2 for resnet56 and resnet110; on ImageNet
    0.5 to 2 at temperature 1.

    Args:
        alpha: Weight of the target class.
        beta: Weight of the other classes.
        temperature: Divides both networks' logits.
    """

    def __init__(
        self, weight: float = 1.0, alpha: NonNegative = 1.0, beta: NonNegative = 8.0, temperature: Temperature = 4.0
    ):
        super().__init__(weight, temperature)
        self.alpha, self.beta = alpha, beta

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        student, teacher = student / self.temperature, teacher / self.temperature
        target = divergence(binary(student, labels), binary(teacher, labels))
        others = divergence(without(student, labels), without(teacher, labels))
        return (self.alpha * target + self.beta * others) * self.temperature**2

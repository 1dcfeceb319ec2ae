"""Refined logits: where the teacher is wrong, the student does not follow it against the label."""

from torch import Tensor

from ..method import LogitMethod
from ..ranges import NonNegative, Temperature
from .layers.logits import binary, divergence


class RLD(LogitMethod):
    """Knowledge Distillation with Refined Logits (Sun et al., ICCV 2025, arXiv:2408.07703).

    alpha confidence + beta correlation. Confidence: make the student as sure of the label as the teacher is of its own
    prediction, by the KL of the two binary distributions. Correlation: the KL over the classes that the teacher finds
    less likely than the label, with both networks' probabilities renormalised. Each is multiplied by the square of its
    temperature. Where the teacher is right this is DKD.

    In the authors' code the weight rises over 20 epochs, `Ramped(RLD())`, with CE at weight 1.

    Args:
        alpha: Weight of confidence.
        beta: Weight of correlation.
        temperature: Divides both networks' logits for correlation.
        confidence_temperature: The same for confidence.
    """

    def __init__(
        self,
        weight: float = 1.0,
        alpha: NonNegative = 1.0,
        beta: NonNegative = 8.0,
        temperature: Temperature = 4.0,
        confidence_temperature: Temperature = 1.0,
    ):
        super().__init__(weight)
        self.alpha, self.beta = alpha, beta
        self.temperature, self.confidence_temperature = temperature, confidence_temperature

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return self.alpha * self.confidence(student, teacher, labels) + self.beta * self.correlation(
            student, teacher, labels
        )

    def confidence(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        s = binary(student / self.confidence_temperature, labels)
        t = binary(teacher / self.confidence_temperature, teacher.argmax(1))
        return divergence(s, t, self.confidence_temperature**2)

    def correlation(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        withheld = teacher >= teacher.gather(1, labels[:, None])
        # Not -inf: where the label comes last no class is left, and the loss must be 0.
        s, t = (logits.div(self.temperature).masked_fill(withheld, -1e9) for logits in (student, teacher))
        return divergence(s, t, self.temperature**2)

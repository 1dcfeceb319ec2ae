"""Correlation instead of equality: a strong teacher's probabilities are matched up to shift and scale."""

import torch.nn.functional as F
from torch import Tensor
from torch.linalg import vector_norm

from ..anatomy import Anatomy
from ..batch import Batch
from ..method import Spot, SpotMethod
from ..ranges import NonNegative, Temperature
from ..taps import Outputs


class DIST(SpotMethod):
    """Knowledge Distillation from A Stronger Teacher (Huang et al., NeurIPS 2022, arXiv:2205.10536).

    temperature^2 (beta (1 - r_inter) + gamma (1 - r_intra)): Pearson's correlation of the two networks' probabilities,
    r_inter over the classes of a sample, averaged over samples, r_intra over the samples of a class, averaged over
    classes. It compares samples with each other, so it is not a LogitMethod.

    Weight and temperature are those for CIFAR-100, used with CE at weight 1; on ImageNet the temperature is 1.

    Args:
        beta: Weight of the correlation within samples.
        gamma: Weight of the correlation within classes.
        temperature: Divides both networks' logits.
    """

    def __init__(
        self, weight: float = 2.0, beta: NonNegative = 1.0, gamma: NonNegative = 1.0, temperature: Temperature = 4.0
    ):
        super().__init__(weight)
        self.beta, self.gamma, self.temperature = beta, gamma, temperature

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
        return [Spot("logits", "logits")]

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        s, t = (F.softmax(net.logits / self.temperature, dim=1) for net in (student, teacher))
        active = s.new_ones(len(s)) if batch.active is None else batch.active
        inter = 1 - correlation(s.T, t.T, s.new_ones(s.shape[1]))  # (N,)
        intra = 1 - correlation(s, t, active)  # (C,)
        inter_mean = (inter * active).sum() / active.sum().clamp_min(1)
        return (self.beta * inter_mean + self.gamma * intra.mean()) * self.temperature**2


def correlation(one: Tensor, other: Tensor, active: Tensor) -> Tensor:
    """(N, C), (N, C), (N,) zeros and ones -> (C,), Pearson's correlation over the active ones of the N

    As in the authors' code, 1e-8 is added to the product of the two lengths. Probabilities are so small that this
    matters: `F.cosine_similarity`, which bounds that product from below, gives other values and gradients.
    """
    active = active[:, None]
    one, other = (active * (x - (active * x).sum(0) / active.sum().clamp_min(1)) for x in (one, other))
    correlations: Tensor = (one * other).sum(0) / (vector_norm(one, dim=0) * vector_norm(other, dim=0) + 1e-8)
    return correlations

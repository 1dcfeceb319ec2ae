"""A simple recipe: a linear projector, normalised features, and a loss that saturates."""

import torch
from torch import Tensor, nn

from ..method import Places, RelationalMethod
from ..ranges import Positive


class SRD(RelationalMethod):
    """Understanding the Role of the Projector in Knowledge Distillation (Miles et al., AAAI 2024, arXiv:2303.11098).

    log sum |n(P s) - n(t)|^power over samples and dimensions, where P is linear and n gives every dimension mean 0 and
    deviation 1 over the batch. Maps and tokens are averaged first. For ResNet-34 -> ResNet-18 the authors' code uses
    weight 2, with CE at weight 1 and KD at weight 1 and temperature 1.

    Args:
        power: The larger, the more the largest differences dominate the loss.
        eps: Added to each dimension's variance.
    """

    def __init__(self, weight: float = 2.0, power: Positive = 4.0, eps: Positive = 1e-4, at: Places = "embedding"):
        super().__init__(weight, at)
        self.power, self.eps = power, eps

    def connector(self, student: Tensor, teacher: Tensor) -> nn.Module:
        return _Projector(_averaged(student).shape[1], _averaged(teacher).shape[1])

    def loss(self, student: Tensor, teacher: Tensor, active: Tensor | None = None) -> Tensor:
        """(N, Dt) after the connector, (N, ..., Dt) -> ()"""
        active = student.new_ones(len(student)) if active is None else active
        s, t = (self.normalised(features, active) for features in (student, _averaged(teacher)))
        powers = (s - t).abs().pow(self.power).sum(1)
        smallest = torch.finfo(powers.dtype).tiny  # with fewer than two active samples there is no difference
        return (powers * active).sum().clamp(min=smallest).log()

    def normalised(self, features: Tensor, active: Tensor) -> Tensor:
        """(N, D), (N,) -> (N, D), by mean and deviation over the active samples"""
        shares = (active / active.sum().clamp(min=1))[:, None]
        centred = features - (shares * features).sum(0)
        return centred / ((shares * centred.square()).sum(0) + self.eps).sqrt()


class _Projector(nn.Module):
    """(N, ..., Ds) -> (N, Dt)"""

    def __init__(self, student: int, teacher: int):
        super().__init__()
        self.linear = nn.Linear(student, teacher)

    def forward(self, features: Tensor) -> Tensor:
        projected: Tensor = self.linear(_averaged(features))
        return projected


def _averaged(features: Tensor) -> Tensor:
    """Maps (N, C, H, W), tokens (N, L, D) or vectors -> (N, D)"""
    return features.mean((2, 3)) if features.ndim == 4 else features.mean(1) if features.ndim == 3 else features

"""Variational information distillation: learn features that predict the teacher's."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..anatomy import Anatomy
from ..batch import Batch, DataInfo
from ..method import Places, Spot, SpotMethod, needs_maps, pair
from ..ranges import Positive
from ..taps import Outputs
from .layers.pooling import pool_to_smaller


class VID(SpotMethod):
    """Variational Information Distillation for Knowledge Transfer (Ahn et al., CVPR 2019, arXiv:1904.05835).

    The negative log-likelihood of the teacher's features t under a Gaussian whose mean a regressor predicts from the
    student's s. Minimising it maximises a bound on their mutual information:

        1/2 mean over channels c and positions of  (mean_c(s) - t_c)^2 / variance_c + log variance_c

    It can be negative. Where two maps differ in size, the larger is pooled to the smaller before the regressor.

    Args:
        initial_variance: Of every channel.
        learned_variance: If false, the variance stays fixed, as in mdistiller, whose optimiser never gets it.
    """

    def __init__(
        self,
        weight: float = 1.0,
        initial_variance: Positive = 5.0,
        learned_variance: bool = True,
        at: Places = "stages",
    ):
        super().__init__(weight)
        self.initial_variance, self.learned_variance = initial_variance, learned_variance
        self.at = at
        self.gaussians = nn.ModuleList()

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
        return pair(self.at, student, teacher)

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        for spot in self.spots:
            s, t = student[spot.student], teacher[spot.teacher]
            needs_maps("VID", student=s, teacher=t)
            gaussian = _Gaussian(s.shape[1], t.shape[1], self.initial_variance)
            gaussian.log_scale.requires_grad_(self.learned_variance)
            self.gaussians.append(gaussian)

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        s, t = pool_to_smaller(student[spot.student], teacher[spot.teacher])
        mean, variance = self.at_spot(self.gaussians, spot)(s)
        squares = (mean - t).square().mean((2, 3))
        cost: Tensor = squares / variance + variance.log()
        return cost.mean(1) / 2


class _Gaussian(nn.Module):
    """(N, Cs, H, W) -> mean (N, Ct, H, W) and variance (Ct,) of the teacher's features"""

    smallest_variance = 1e-5

    def __init__(self, student: int, teacher: int, variance: float):
        super().__init__()
        inverse_softplus = math.log(math.expm1(variance - self.smallest_variance))
        self.log_scale = nn.Parameter(torch.full((teacher,), inverse_softplus))
        self.regressor = nn.Sequential(
            nn.Conv2d(student, teacher, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(teacher, teacher, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(teacher, teacher, 1, bias=False),
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        variance = F.softplus(self.log_scale) + self.smallest_variance
        return self.regressor(features), variance

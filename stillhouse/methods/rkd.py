"""Relational knowledge distillation: match the distances and angles between the samples of a batch."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..method import Places, RelationalMethod
from ..ranges import NonNegative
from .layers.affinity import gram, mean_over, squared_distances


class RKD(RelationalMethod):
    """Relational Knowledge Distillation (Park et al., CVPR 2019, arXiv:1904.05068).

        distance_weight * mean_ij huber(d_ij) + angle_weight * mean_ijk huber(a_ijk)

    where huber is applied to the differences between teacher and student in d_ij, the distance of samples i and j
    divided by the mean distance, and in a_ijk, the cosine of the angle at i between j and k. As in the authors' code
    the means are over all pairs and triplets of a batch, including those of a sample with itself; the paper writes
    sums over distinct ones. Samples that coincide have no direction: they count as distance 0 and cosine 0, so a batch
    of one image has a loss of 0.
    """

    def __init__(
        self,
        weight: float = 1.0,
        distance_weight: NonNegative = 25.0,
        angle_weight: NonNegative = 50.0,
        at: Places = "embedding",
    ):
        super().__init__(weight, at)
        self.distance_weight, self.angle_weight = distance_weight, angle_weight

    def loss(self, student: Tensor, teacher: Tensor, active: Tensor | None = None) -> Tensor:
        """(N, ...), (N, ...), (N,) -> ()"""
        pairs = zip(relations(student, active), relations(teacher, active), strict=True)
        distance, angle = (mean_over(F.smooth_l1_loss(s, t, reduction="none"), active) for s, t in pairs)
        return self.distance_weight * distance + self.angle_weight * angle


def relations(features: Tensor, active: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(N, ...), (N,) -> distances (N, N) over their mean, cosines of angles (N, N, N), the vertex first

    The law of cosines gives all angles from the N^2 distances. These are computed in float64, relative to the mean:
    distances that are small compared with the features' length would be small differences of large numbers. The angles,
    in the features' own precision, then lose no more than they would if computed from differences of features.
    """
    samples = features.flatten(1).double()
    products = gram(samples - samples.mean(0).detach())
    squared = squared_distances(products)
    apart = squared > 1e-12
    inverse = torch.where(apart, squared, 1).rsqrt() * apart
    lengths = squared * inverse
    distinct = 1 - torch.eye(len(lengths), dtype=lengths.dtype, device=lengths.device)
    mean = mean_over(lengths, active) / mean_over(distinct, active).clamp(min=1e-12)
    distances = lengths / mean.clamp(min=1e-12)
    squared, inverse = squared.to(features.dtype), inverse.to(features.dtype)
    opposite = squared[:, :, None] + (squared[:, None, :] - squared)
    angles = opposite * (inverse[:, :, None] * (inverse / 2)[:, None, :])
    return distances.to(features.dtype), angles

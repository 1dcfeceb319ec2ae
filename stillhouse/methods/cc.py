"""Correlation congruence: match how the samples of a batch correlate."""

import math
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..batch import DataInfo
from ..method import Places, RelationalMethod, Spot
from ..ranges import Positive, Range, Width
from ..taps import Outputs
from .layers.affinity import gram, mean_over


class CC(RelationalMethod):
    """Correlation Congruence for Knowledge Distillation (Peng et al., ICCV 2019, arXiv:1904.01802).

    A linear layer for each network, trained with the student, turns embeddings into s and t of equal length. The loss
    in the paper is

        mean over i, j of  (k(s_i, s_j) - k(t_i, t_j))^2

    with k the Taylor series of a Gaussian kernel of unit vectors. The authors' code, which made the CC row of the
    CIFAR-100 benchmark (Tian et al., ICLR 2020), differs: `CC(0.02, correlation="consecutive")` is

        mean over i of  sum |s_i - t_i| |s_i+1 - t_i+1|

    which depends on the order of a batch and is 0 for a batch of one image.

    Args:
        dim: Length of s and t.
        correlation: The paper's "gaussian" or the code's "consecutive".
        gamma: Of the kernel exp(-gamma |x - y|^2).
        order: Degree at which its series ends.
    """

    def __init__(
        self,
        weight: float = 0.003,
        dim: Width = 128,
        correlation: Literal["gaussian", "consecutive"] = "gaussian",
        gamma: Positive = 0.4,
        order: Annotated[int, Range("between 0 and 20", 0, 20)] = 2,
        at: Places = "embedding",
    ):
        super().__init__(weight, at)
        self.dim = dim
        self.correlation = correlation
        self.gamma, self.order = gamma, order
        self.teacher_connectors = nn.ModuleList()

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        super().build(student, teacher, data)
        for spot in self.spots:
            self.teacher_connectors.append(self.embedding(teacher[spot.teacher]))

    def connector(self, student: Tensor, teacher: Tensor) -> nn.Module:
        return self.embedding(student)

    def embedding(self, features: Tensor) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(features[0].numel(), self.dim))

    def features_at(self, spot: Spot, student: Outputs, teacher: Outputs) -> tuple[Tensor, Tensor]:
        s, t = super().features_at(spot, student, teacher)
        return s, self.at_spot(self.teacher_connectors, spot)(t)

    def loss(self, student: Tensor, teacher: Tensor, active: Tensor | None = None) -> Tensor:
        """(N, dim), (N, dim), (N,) -> ()"""
        if self.correlation == "gaussian":
            return mean_over((self.kernel(student) - self.kernel(teacher)).square(), active)
        distances = (student - teacher).abs()
        if active is None:
            return _neighbours(distances) / max(1, len(distances) - 1)
        order = active.argsort(descending=True, stable=True)  # active samples become neighbours, the others 0
        distances = (distances * active.to(distances)[:, None])[order]
        return _neighbours(distances) / (active.sum() - 1).clamp(min=1)

    def kernel(self, embeddings: Tensor) -> Tensor:
        """(N, dim) -> (N, N), exp(-2 gamma) sum_p (2 gamma x . y)^p / p! of unit vectors x, y"""
        exponent = 2 * self.gamma * gram(F.normalize(embeddings))
        terms = (exponent**p / math.factorial(p) for p in range(self.order + 1))
        return math.exp(-2 * self.gamma) * sum(terms, start=torch.zeros_like(exponent))


def _neighbours(rows: Tensor) -> Tensor:
    """(N, D) -> (), the sum of the inner products of each row with the next"""
    flat, length = rows.flatten(), rows.shape[1]
    return flat[:-length].dot(flat[length:])

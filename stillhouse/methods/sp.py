"""Similarity-preserving distillation: match the similarities between images."""

import torch.nn.functional as F
from torch import Tensor

from ..method import Places, RelationalMethod
from .layers.affinity import gram, mean_over


class SP(RelationalMethod):
    """Similarity-Preserving Knowledge Distillation (Tung & Mori, ICCV 2019, arXiv:1907.09682).

    ||Gt - Gs||^2 / N^2, where G holds the products of all pairs of a batch's flattened features, each row at unit
    length.
    """

    def __init__(self, weight: float = 3000.0, at: Places = "last_stage"):
        super().__init__(weight, at)

    def loss(self, student: Tensor, teacher: Tensor, active: Tensor | None = None) -> Tensor:
        """(N, ...), (N, ...), (N,) -> ()"""
        return mean_over((self.similarities(student, active) - self.similarities(teacher, active)).square(), active)

    def similarities(self, features: Tensor, active: Tensor | None) -> Tensor:
        """(N, ...), (N,) -> (N, N), rows of unit length"""
        products = gram(features)
        return F.normalize(products if active is None else products * active)

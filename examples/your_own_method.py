"""Directions: the student's features point where the teacher's do."""

import torch.nn.functional as F
from torch import Tensor, nn

from stillhouse import FeatureMethod
from stillhouse.method import Places, needs_maps
from stillhouse.methods.layers.pooling import pool_to_smaller


class Directions(FeatureMethod):
    """The Title of Your Paper (You et al., ICLR 2027, arXiv:2700.12345).

    The mean over positions of max(0, 1 - cos(s, t) - margin), with the student's features s after a 1 x 1
    convolution. Of two maps the larger is averaged to the smaller's size.

    Args:
        margin: Differences up to this cost nothing.
    """

    def __init__(self, weight: float = 10.0, margin: float = 0.0, at: Places = "stages"):
        super().__init__(weight, at)
        self.margin = margin

    def connector(self, student: Tensor, teacher: Tensor) -> nn.Module:
        needs_maps("Directions", student=student, teacher=teacher)
        return nn.Conv2d(student.shape[1], teacher.shape[1], 1)

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """(N, Ct, Hs, Ws) after the connector, (N, Ct, Ht, Wt) -> (N,)"""
        s, t = pool_to_smaller(student, teacher)
        return F.relu(1 - F.cosine_similarity(s, t, dim=1) - self.margin).mean((1, 2))

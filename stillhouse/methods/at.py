"""Attention transfer: match where in the image each network is active."""

import torch.nn.functional as F
from torch import Tensor, nn

from ..method import FeatureMethod, Places, needs_maps
from ..ranges import Positive
from .layers.feature_maps import channel_mean, mean_square
from .layers.pooling import pool_to_smaller


class AT(FeatureMethod):
    """Paying More Attention to Attention (Zagoruyko & Komodakis, ICLR 2017, arXiv:1612.03928).

    The mean over positions of the squared difference of attention maps, as in the authors' code; the paper writes
    the norm of the difference. Where two maps differ in size, the larger is pooled to the smaller.

    Args:
        power: Exponent p of the attention map: the mean over channels of |activation|^p, scaled to unit length.
    """

    def __init__(self, weight: float = 1000.0, power: Positive = 2.0, at: Places = "stages"):
        super().__init__(weight, at)
        self.power = power

    def connector(self, student: Tensor, teacher: Tensor) -> nn.Module:
        needs_maps("AT", student=student, teacher=teacher)
        return nn.Identity()

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """(N, Cs, Hs, Ws), (N, Ct, Ht, Wt) -> (N,)"""
        s, t = pool_to_smaller(student, teacher)
        return (self.attention(s) - self.attention(t)).square().mean(1)

    def attention(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, H * W), unit length"""
        if self.power == 2:
            return F.normalize(mean_square(features).flatten(1))
        return F.normalize(channel_mean(features.abs().pow(self.power)).flatten(1))

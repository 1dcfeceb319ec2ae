"""Neuron selectivity transfer: match what the channels respond to, as a distribution over positions."""

import torch.nn.functional as F
from torch import Tensor, nn

from ..layers.pooling import pool_to_smaller
from ..method import FeatureMethod, Places, needs_maps


class NST(FeatureMethod):
    """Like What You Like: Knowledge Distill via Neuron Selectivity Transfer (Huang & Wang, 2017, arXiv:1707.01219).

    The squared maximum mean discrepancy between the channels of student and teacher, each to unit length over its
    positions, under the polynomial kernel k(x, y) = (x . y)^2, which the paper found best:

        mean k(t, t') + mean k(s, s') - 2 mean k(s, t)        over all pairs of channels

    The paper writes half of its weight before the loss, the CIFAR-100 benchmark (Tian et al., ICLR 2020) all of it.
    Maps of unequal size meet at the smaller one's.
    """

    def __init__(self, weight: float = 50.0, at: Places = "stages"):
        super().__init__(weight, at)

    def connector(self, student: Tensor, teacher: Tensor) -> nn.Module:
        needs_maps("NST", student=student, teacher=teacher)
        return nn.Identity()

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """(N, Cs, Hs, Ws), (N, Ct, Ht, Wt) -> (N,)"""
        s, t = (F.normalize(f.flatten(2), dim=2) for f in pool_to_smaller(student, teacher))  # (N, C, positions)
        (s_channels, positions), t_channels = s.shape[1:], t.shape[1]
        # With X of (channels, positions), sum_ij (x_i . y_j)^2 = |X Y^T|^2 = <X^T X, Y^T Y>: take the smaller products.
        if positions * (s_channels + t_channels) <= s_channels**2 + t_channels**2 + s_channels * t_channels:
            return (s.mT @ s / s_channels - t.mT @ t / t_channels).square().sum((1, 2))
        return _mean_kernel(t, t) + _mean_kernel(s, s) - 2 * _mean_kernel(s, t)


def _mean_kernel(one: Tensor, other: Tensor) -> Tensor:
    """(N, C, P), (N, D, P) -> (N,)"""
    return (one @ other.mT).square().mean((1, 2))

"""Neuron selectivity transfer: match the positions to which channels respond, as distributions."""

import torch.nn.functional as F
from torch import Tensor, nn

from ..method import FeatureMethod, Places, needs_maps
from .layers.channel_products import channel_products
from .layers.pooling import pool_to_smaller


class NST(FeatureMethod):
    """Like What You Like: Knowledge Distill via Neuron Selectivity Transfer (Huang & Wang, 2017, arXiv:1707.01219).

    The squared maximum mean discrepancy between the channels of student and teacher, each scaled to unit length over
    its positions, under the polynomial kernel k(x, y) = (x . y)^2, which the paper found best:

        mean k(t, t') + mean k(s, s') - 2 mean k(s, t)        over all pairs of channels

    The paper multiplies the loss by half of its weight, the CIFAR-100 benchmark (Tian et al., ICLR 2020) by all of it.
    Where two maps differ in size, the larger is pooled to the smaller.
    """

    def __init__(self, weight: float = 50.0, at: Places = "stages"):
        super().__init__(weight, at)

    def connector(self, student: Tensor, teacher: Tensor) -> nn.Module:
        needs_maps("NST", student=student, teacher=teacher)
        return nn.Identity()

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """(N, Cs, Hs, Ws), (N, Ct, Ht, Wt) -> (N,)"""
        s, t = pool_to_smaller(student, teacher)
        s_channels, t_channels, positions = s.shape[1], t.shape[1], s[0, 0].numel()
        # With X of (channels, positions), sum_ij (x_i . y_j)^2 = |X Y^T|^2 = <X^T X, Y^T Y>: take the smaller products.
        if positions * (s_channels + t_channels) <= s_channels**2 + t_channels**2 + s_channels * t_channels:
            s, t = (F.normalize(f.flatten(2), dim=2).mT for f in (s, t))
            return (channel_products(s, s) / s_channels - channel_products(t, t) / t_channels).square().sum((1, 2))
        within_s, within_t = channel_products(s, s), channel_products(t, t)
        s_scale, t_scale = (_inverse_lengths(products) for products in (within_s, within_t))
        across = _mean_square(channel_products(s, t), s_scale, t_scale)
        return _mean_square(within_t, t_scale, t_scale) + _mean_square(within_s, s_scale, s_scale) - 2 * across


def _inverse_lengths(products: Tensor) -> Tensor:
    """(N, C, C) -> (N, C), of channels whose length is at least 1e-12"""
    return products.diagonal(dim1=1, dim2=2).clamp(min=1e-24).rsqrt()


def _mean_square(products: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """(N, C, D), (N, C), (N, D) -> (N,), the mean square of the products after scaling"""
    return (products * one[:, :, None] * other[:, None]).square().mean((1, 2))

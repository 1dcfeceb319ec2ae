"""FitNets: regress the teacher's features at one stage."""

import torch.nn.functional as F
from torch import Tensor, nn

from ..method import FeatureMethod, Places, needs_maps
from .layers.connectors import Regressor


class FitNet(FeatureMethod):
    """FitNets: Hints for Thin Deep Nets (Romero et al., ICLR 2015, arXiv:1412.6550).

    The mean squared difference at the hint, trained jointly with the other terms as in the CIFAR-100 benchmark (Tian
    et al., ICLR 2020); the paper first trains the student up to the hint. Where the student's map is smaller than the
    teacher's but not half its size, the teacher's is pooled to it (as in SemCKD's code; CRD's raises an error).
    """

    def __init__(self, weight: float = 100.0, at: Places = "stage2"):
        super().__init__(weight, at)

    def connector(self, student: Tensor, teacher: Tensor) -> nn.Module:
        needs_maps("FitNet", student=student, teacher=teacher)
        return Regressor(student.shape, teacher.shape)

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """(N, Ct, H, W) after the connector, (N, Ct, Ht, Wt) -> (N,)"""
        if student.shape[2:] != teacher.shape[2:]:
            teacher = F.adaptive_avg_pool2d(teacher, (student.shape[2], student.shape[3]))
        return (student - teacher).square().flatten(1).mean(1)

"""Activation boundaries: train the student's neurons to be active where the teacher's are, before anything else."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..anatomy import Anatomy
from ..batch import Batch, DataInfo
from ..method import Group, Method, Places, Spot, Warmup, needs_maps, pair
from ..ranges import NonNegative, Whole
from ..taps import Outputs, Tapped
from .layers.backbone_modules import feature_modules
from .layers.connectors import Regressor
from .layers.pooling import pool_to_smaller


class AB(Method):
    """Knowledge Transfer via Distillation of Activation Boundaries (Heo et al., AAAI 2019, arXiv:1811.03233).

    Before distillation the student's stages are trained by themselves, with a margin m, on

        sum over levels i = 1 ... n and elements of  2^(i - n) * max(0, m - s)^2  where t > 0,
                                                     2^(i - n) * max(0, m + s)^2  where t <= 0

    with s and t before the last activation of a stage, s after a connector. Then the student is trained further on the
    other terms; this one stays 0. Where two maps differ in size, the larger is pooled to the smaller.

    Args:
        weight: Of the loss above, which is a sum, not a mean: 3 / 1000 as in the code.
        margin: The least distance of a neuron from its boundary.
        warmup_epochs: Epochs of that training; 30 as in the CIFAR-100 benchmark (Tian et al., ICLR 2020).
    """

    def __init__(
        self, weight: float = 0.003, margin: NonNegative = 1.0, warmup_epochs: Whole = 30, at: Places = "preacts"
    ):
        super().__init__(weight)
        self.margin = margin
        self.warmup_epochs = warmup_epochs
        self.at = at
        self.connectors = nn.ModuleList()

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
        return pair(self.at, student, teacher)

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        self.image_size = data.image_size
        for spot in self.spots:
            s, t = student[spot.student], teacher[spot.teacher]
            needs_maps("AB", student=s, teacher=t)
            same = s.shape == t.shape
            self.connectors.append(nn.Identity() if same else Regressor(s.shape, t.shape, active=False))

    def warmups(self, student: Tapped, teacher: Tapped) -> Sequence[Warmup]:
        trains = [self.connectors, *feature_modules(student, self.image_size)]
        return [Warmup(self.warmup_epochs, trains, self.transfer)]

    def groups(self) -> Sequence[Group]:
        return []  # the connectors have done their work

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        return student.logits.new_zeros(())

    def transfer(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        """Outputs at the spots -> (N,), the loss of the warm-up"""
        loss = student.logits.new_zeros(())
        for connector, spot in zip(self.connectors, self.spots, strict=True):  # each level counts double the one before
            loss = loss / 2 + self.misplaced(connector(student[spot.student]), teacher[spot.teacher])
        return self.weight * loss

    def misplaced(self, student: Tensor, teacher: Tensor) -> Tensor:
        """(N, C, H, W), (N, C, H, W) -> (N,)"""
        s, t = pool_to_smaller(student, teacher)
        return F.relu(self.margin - torch.where(t > 0, s, -s)).square().sum((1, 2, 3))

"""Overhaul: match pre-activations, but only as far as the following activation lets values through."""

from math import pi, sqrt
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..anatomy import Anatomy
from ..batch import Batch, DataInfo
from ..method import Places, Spot, SpotMethod, needs_maps, pair
from ..ranges import Number, Positive
from ..taps import Outputs

_ACTIVATIONS: dict[str, nn.Module] = {"relu": nn.Identity(), "elu": nn.ELU(), "swish": nn.SiLU()}


class OFD(SpotMethod):
    """A Comprehensive Overhaul of Feature Distillation (Heo et al., ICCV 2019, arXiv:1904.01866), or margin ReLU.

    With s and t before the last activation of a stage, s after a 1 x 1 convolution and BatchNorm, and a margin m < 0
    for each channel, the sum over all elements of

        (s - max(t, m))^2   where s > max(t, m) or t > 0,   0 elsewhere

    m is the mean of the negative values of t, taken as normal with the mean and deviation that its BatchNorm gives.
    Each level counts half as much as the next deeper one. The teacher's maps are pooled to the student's size.
    PkuDavidGuan/Distillation adds the stem as a fourth level and the other activations, and uses
    `teacher_statistics="running"`.

    Args:
        margin: "batchnorm", or one number for all channels.
        activation: Applied to t where m < t <= 0: nothing in the paper; "elu"; "swish", whose margin is -100.
        level_ratio: The weight of a level relative to the next deeper one.
        teacher_statistics: "batch" lets the teacher's BatchNorms use each batch's own, as in the authors' code.
    """

    def __init__(
        self,
        weight: float = 0.001,
        margin: Literal["batchnorm"] | Number = "batchnorm",
        activation: Literal["relu", "elu", "swish"] = "relu",
        level_ratio: Positive = 0.5,
        teacher_statistics: Literal["running", "batch"] = "batch",
        at: Places = "preacts",
    ):
        super().__init__(weight)
        self.margin: str | float = -100.0 if activation == "swish" else margin
        self.activation, self.level_ratio, self.at = activation, level_ratio, at
        self.teacher_statistics = teacher_statistics
        self.levels = nn.ModuleList()

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
        return pair(self.at, student, teacher)

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        for spot in self.spots:
            s, t = student[spot.student], teacher[spot.teacher]
            needs_maps("OFD", student=s, teacher=t)
            self.levels.append(_Level(s.shape[1], self.margins(spot, teacher), self.activation))

    def margins(self, spot: Spot, teacher: Outputs) -> Tensor:
        """-> (Ct,)"""
        if isinstance(self.margin, float | int):
            return torch.full_like(teacher[spot.teacher][0, :, 0, 0], self.margin)
        anatomy = teacher.net.anatomy
        path = anatomy.resolve(spot.teacher)
        norm = teacher.net.module(dict(zip(anatomy.preacts, anatomy.norms, strict=False)).get(path, path))
        if not isinstance(norm, nn.BatchNorm2d) or not norm.affine:
            raise ValueError(
                f"a BatchNorm must come just before the teacher's {spot.teacher}, but none is known; pass a margin, "
                f"such as OFD(margin=-1.0)"
            )
        return _mean_below_zero(norm.bias.detach(), norm.weight.detach().abs())

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        distance: Tensor = self.at_spot(self.levels, spot)(student[spot.student], teacher[spot.teacher])
        deeper = len(self.spots) - 1 - self.spots.index(spot)
        return self.level_ratio**deeper * distance


class _Level(nn.Module):
    """(N, Cs, H, W), (N, Ct, Ht, Wt) -> (N,)"""

    margin: Tensor  # (Ct, 1, 1)

    def __init__(self, student_channels: int, margins: Tensor, activation: str):
        super().__init__()
        conv = nn.Conv2d(student_channels, len(margins), 1, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        self.connector = nn.Sequential(conv, nn.BatchNorm2d(len(margins)))
        self.register_buffer("margin", margins[:, None, None].clone())
        self.activation = _ACTIVATIONS[activation]

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        s: Tensor = self.connector(student)
        t = teacher if s.shape == teacher.shape else F.adaptive_avg_pool2d(teacher, (s.shape[2], s.shape[3]))
        active = (s > torch.maximum(t, self.margin)) | (t > 0)
        target = torch.where(t > 0, t, torch.where(t > self.margin, self.activation(t), self.margin))
        return ((s - target).square() * active).sum((1, 2, 3))


def _mean_below_zero(mean: Tensor, deviation: Tensor) -> Tensor:
    """Return E[x | x < 0] for normal x; where x is hardly ever negative, three deviations below 0."""
    z = mean / deviation.clamp(min=1e-12)
    share = torch.special.ndtr(-z)
    deviations = torch.exp(-z.square() / 2) / sqrt(2 * pi) / share
    return torch.where(share > 0.001, mean - deviation * deviations, -3 * deviation)

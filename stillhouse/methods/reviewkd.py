"""Knowledge review: deep student features help shallow ones to match the teacher's."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..anatomy import Anatomy
from ..batch import Batch, DataInfo
from ..method import Method, Places, Spot, needs_maps, pair
from ..taps import Outputs
from .layers.feature_maps import as_map

MAX_WIDTH = 512


class ReviewKD(Method):
    """Distilling Knowledge via Knowledge Review (Chen et al., CVPR 2021, arXiv:2104.09044).

    From the deepest level, the embedding, to the shallowest, the student's features are fused by attention with the
    output of the next deeper level. The result is compared with the teacher's features and passed on. They are compared
    by the hierarchical context loss: the weighted mean of the squared differences of maps and of their averages over
    4 x 4, 2 x 2 and 1 regions, with weights 1, 1/2, 1/4, 1/8, as long as there are fewer regions than positions.

    The paper's weight is 0.6 to 8, depending on the pair of networks. That of mdistiller, whose results most papers
    quote, is 5 and rises over 20 epochs: `Ramped(ReviewKD())`. Both read the teacher's stages before their last
    activation.

    Args:
        at: `"stages"` pairs the student's stages with the teacher's before their last activation, deepest first;
            `"preacts"` reads both before it; a list of places, shallow to deep, is used as it is. Embeddings are added.
    """

    def __init__(self, weight: float = 5.0, at: Places = "stages"):
        super().__init__(weight)
        self.at = at
        self.fusions = nn.ModuleList()  # deepest first

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
        levels = pair(self.at, student, teacher)
        if self.at == "stages":
            if not teacher.preacts:
                raise ValueError(
                    "the teacher's stages must be read before their last activation, but no such place was found; "
                    "name places with at=[(student, teacher), ...]"
                )
            levels = [Spot(spot.student, spot.teacher.replace("stage", "preact")) for spot in levels]
        return [*levels, Spot("embedding", "embedding")]

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        width = min(MAX_WIDTH, student["embedding"].shape[1])
        for spot in reversed(self.spots):
            s, t = as_map(student[spot.student]), as_map(teacher[spot.teacher])
            needs_maps("ReviewKD", student=s, teacher=t)
            self.fusions.append(_Fusion(s.shape[1], width, t.shape[1], attentive=len(self.fusions) > 0))

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        loss, above = student.logits.new_zeros(()), None
        for fusion, spot in zip(self.fusions, reversed(self.spots), strict=True):
            target = as_map(teacher[spot.teacher])
            reviewed, above = fusion(as_map(student[spot.student]), above, target.shape[2:])
            loss = loss + self.context_loss(reviewed, target)
        return loss

    def context_loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """(N, C, H, W), (N, C, H, W) -> (N,)"""
        loss, weight, weights = _mean_squares(student - teacher), 1.0, 1.0
        for size in (4, 2, 1):
            if size < student.shape[2]:
                weight /= 2
                weights += weight
                pooled = F.adaptive_avg_pool2d(student - teacher, size)
                loss = loss + weight * _mean_squares(pooled)
        return loss / weights


class _Fusion(nn.Module):
    """Student features, fused deeper ones and a size -> features to compare, fused ones to pass on"""

    def __init__(self, student: int, width: int, teacher: int, attentive: bool):
        super().__init__()
        self.narrow = nn.Sequential(nn.Conv2d(student, width, 1, bias=False), nn.BatchNorm2d(width))
        self.widen = nn.Sequential(nn.Conv2d(width, teacher, 3, padding=1, bias=False), nn.BatchNorm2d(teacher))
        self.attention = nn.Conv2d(2 * width, 2, 1) if attentive else None
        for conv in (self.narrow[0], self.widen[0]):
            assert isinstance(conv, nn.Conv2d)
            nn.init.kaiming_uniform_(conv.weight, a=1)

    def forward(self, features: Tensor, above: Tensor | None, size: torch.Size) -> tuple[Tensor, Tensor]:
        fused = self.narrow(features)
        if self.attention is not None:
            assert above is not None
            above = _resized(above, fused.shape[2:])
            share = self.attention(torch.cat([fused, above], dim=1)).sigmoid()  # (N, 2, H, W)
            fused = fused * share[:, :1] + above * share[:, 1:]
        fused = _resized(fused, size)
        return self.widen(fused), fused


def _resized(features: Tensor, size: torch.Size) -> Tensor:
    return features if features.shape[2:] == size else F.interpolate(features, list(size), mode="nearest")


def _mean_squares(features: Tensor) -> Tensor:
    return features.square().mean((1, 2, 3))

"""Reused classifier: the student learns the teacher's last map, and is shipped with the teacher's classifier."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from ..anatomy import Anatomy
from ..batch import DataInfo
from ..method import FeatureMethod, Places, Spot, needs_maps, pair
from ..ranges import Count
from ..taps import Outputs
from .layers.connectors import three_convolutions
from .layers.feature_maps import as_map
from .layers.pooling import pool_to_smaller
from .layers.teacher_classifier import ReusedClassifier, frozen_classifier


class SimKD(FeatureMethod):
    """Knowledge Distillation with the Reused Teacher Classifier (Chen et al., CVPR 2022, arXiv:2203.14001).

    The mean squared difference of the last maps before pooling, the student's after a projector; no other term is
    needed. The network that is evaluated and shipped is the student, followed by the projector and the teacher's
    classifier. The larger of two maps is pooled to the smaller; the student's is pooled before the projector.

    Args:
        reduction: Channels of the teacher's map per channel inside the projector.
        at: `"map"`, or `"embedding"` for networks without a map before a global pool, or one pair of places.
    """

    def __init__(self, weight: float = 1.0, reduction: Count = 2, at: Places = "map"):
        super().__init__(weight, at)
        self.reduction = reduction

    @property
    def needs_teacher_classes(self) -> bool:
        return True

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> Sequence[Spot]:
        for who, net in (("student", student), ("teacher", teacher)):
            if self.at == "map" and net.map is None:
                raise ValueError(
                    f"the {who} must have a map before a global pool, but none was found; use SimKD(at='embedding')"
                )
        spots = pair(self.at, student, teacher)
        if len(spots) != 1:
            raise ValueError(
                f"SimKD must read one place, the last before the classifier, not {len(spots)}; name one with at"
            )
        return spots

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        super().build(student, teacher, data)
        self.classifier = frozen_classifier(teacher, self.spots[0].teacher)
        self.anatomy, self.student_type = student.net.anatomy, type(student.net.model)

    def connector(self, student: Tensor, teacher: Tensor) -> nn.Module:
        student, teacher = as_map(student), as_map(teacher)
        needs_maps("SimKD", student=student, teacher=teacher)
        height, width = teacher.shape[2:]
        is_rectified = bool((teacher >= 0).all())
        return Projector(student.shape[1], teacher.shape[1], (height, width), self.reduction, is_rectified)

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """(N, Ct, Hs, Ws) after the projector, (N, Ct, Ht, Wt) or (N, Ct) -> (N,)"""
        s, t = pool_to_smaller(student, as_map(teacher))
        return (s - t).square().mean((1, 2, 3))

    def deploy(self, student: nn.Module) -> nn.Module:
        if type(student) is not self.student_type:
            raise ValueError(
                f"SimKD ships the student with the teacher's classifier, but another method ships it as a "
                f"{type(student).__name__}; leave one of the two out"
            )
        return ReusedClassifier(student, self.connectors[0], self.classifier, self.spots[0].student, self.anatomy)


class Projector(nn.Module):
    """(N, student, H, W) -> (N, teacher, min(H, height), min(W, width))

    Args:
        largest: Height and width of the teacher's map; larger ones are pooled to it first.
        rectified: End with a ReLU; not for a teacher whose map is signed.
    """

    def __init__(
        self, student: int, teacher: int, largest: tuple[int, int], reduction: int = 2, rectified: bool = True
    ):
        super().__init__()
        self.largest = largest
        inner = max(1, teacher // reduction)
        self.layers = nn.Sequential(
            *three_convolutions(student, inner, teacher),
            nn.BatchNorm2d(teacher),
            nn.ReLU() if rectified else nn.Identity(),
        )

    def forward(self, features: Tensor) -> Tensor:
        features = as_map(features)
        size = min(features.shape[2], self.largest[0]), min(features.shape[3], self.largest[1])
        if features.shape[2:] != size:
            features = F.adaptive_avg_pool2d(features, size)
        projected: Tensor = self.layers(features)
        return projected

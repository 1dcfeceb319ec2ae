"""Softmax regression: match the outputs of the teacher's own classifier on the student's features."""

from typing import Annotated

from torch import Tensor, nn

from ..anatomy import Anatomy
from ..batch import Batch, DataInfo
from ..method import Spot, SpotMethod, needs_maps
from ..ranges import Filled, NonNegative
from ..taps import Outputs
from .layers.feature_maps import as_map
from .layers.teacher_classifier import frozen_classifier


class SRRL(SpotMethod):
    """Knowledge Distillation via Softmax Regression Representation Learning (Yang et al., ICLR 2021, ZzwDy_wiWv).

    A 1 x 1 convolution, BatchNorm, ReLU and pooling turn the student's last map into s, as long as the teacher's
    embedding t. With the teacher's classifier W, which is not trained, the loss is

        mean (s - t)^2  +  logit_weight * mean (W(s) - W(t))^2

    The ReLU is left out for a teacher whose embedding is signed, such as a transformer.

    Args:
        at: The place at which the student is read: its "map", its "embedding" (as in SimKD's code), or a path.
    """

    def __init__(self, weight: float = 1.0, logit_weight: NonNegative = 1.0, at: Annotated[str, Filled()] = "map"):
        super().__init__(weight)
        self.logit_weight = logit_weight
        self.at = at

    @property
    def needs_teacher_classes(self) -> bool:
        return True

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
        if self.at == "map" and student.map is None:
            raise ValueError(
                "the student must have a map before a global pool, but none was found; use SRRL(at='embedding')"
            )
        return [Spot(self.at, "embedding")]

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        s, t = as_map(student[self.at]), teacher["embedding"]
        needs_maps("SRRL", student=s)
        conv = nn.Conv2d(s.shape[1], t.shape[1], 1, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        is_rectified = bool((t >= 0).all())
        self.connector = nn.Sequential(conv, nn.BatchNorm2d(t.shape[1]), nn.ReLU() if is_rectified else nn.Identity())
        self.classifier = frozen_classifier(teacher, "embedding")

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        s: Tensor = self.connector(as_map(student[spot.student])).mean((2, 3))  # (N, Ct)
        features = (s - teacher[spot.teacher]).square().mean(1)
        logits: Tensor = (self.classifier(s) - teacher.logits).square().mean(1)
        return features + self.logit_weight * logits

"""One for all: exits at the student's stages, so that they can learn from any teacher's logits."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..anatomy import Anatomy
from ..batch import Batch, DataInfo
from ..method import Spot, SpotMethod
from ..ranges import Positive, Temperature
from ..taps import Outputs
from .layers.auxiliary_heads import exit_from


class OFAKD(SpotMethod):
    """One-for-All: Bridge the Gap Between Heterogeneous Architectures (Hao et al., NeurIPS 2023, arXiv:2310.19444).

    Each stage of the student gets an exit, thrown away afterwards, that turns its features into logits. The loss of
    these, and of the network's own, is -((1 + t_y)^gamma - 1) log s_y - sum_{c != y} t_c log s_c: soft cross-entropy,
    in which a confident teacher enhances the label y. The paper's hard part, -log s_y, is left to CE at weight 1 (the
    authors' code does not apply it to the exits either). Their code also raises t_c to gamma.

    The published gamma is 1 for CIFAR-100, and 1.5 for ResNet-18 on ImageNet.

    Args:
        gamma: The larger, the more the label counts where the teacher is sure of it.
        temperature: Divides both networks' logits.
        enhance_all: Use t_c^gamma instead of t_c for the other classes, as in the authors' code.
    """

    def __init__(
        self, weight: float = 1.0, gamma: Positive = 1.0, temperature: Temperature = 1.0, enhance_all: bool = False
    ):
        super().__init__(weight)
        self.gamma, self.temperature, self.enhance_all = gamma, temperature, enhance_all
        self.exits = nn.ModuleList()

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
        if not student.stages:
            raise ValueError(
                "the student must have stages to put exits at, but none were found; name them with "
                "--student_anatomy.stages"
            )
        stages = [Spot(f"stage{i + 1}", "logits") for i in range(len(student.stages))]
        return [*stages, Spot("logits", "logits")]

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        *stages, _ = self.spots
        width = max(_width("student", student), _width("teacher", teacher))
        for later, spot in zip(reversed(range(len(stages))), stages, strict=True):
            self.exits.append(exit_from(student[spot.student], later, width, data.num_classes))
        self.exits.append(nn.Identity())

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        logits = self.at_spot(self.exits, spot)(student[spot.student])
        return self.loss(logits, teacher.logits, batch.labels)

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        """(N, C), (N, C), (N,) -> (N,)"""
        log_s, t = F.log_softmax(student / self.temperature, dim=1), F.softmax(teacher / self.temperature, dim=1)
        is_label = F.one_hot(labels, t.shape[1]).to(t)
        enhanced = (t + is_label).pow(self.gamma) - is_label
        targets = enhanced if self.enhance_all else torch.where(is_label > 0, enhanced, t)
        return -(targets * log_s).sum(1)


def _width(who: str, outputs: Outputs) -> int:
    head = outputs.net.head
    if not isinstance(head, nn.Linear):
        raise ValueError(
            f"the {who}'s head must be a linear layer, not a {type(head).__name__}; name its last one with "
            f"--{who}_anatomy.head"
        )
    return head.in_features

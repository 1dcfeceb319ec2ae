"""Flow of the solution procedure: match how features turn from one stage to the next."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from ..anatomy import Anatomy
from ..batch import Batch, DataInfo
from ..method import Method, Places, Spot, Warmup, needs_maps, pair
from ..ranges import Whole
from ..taps import Outputs, Tapped
from .layers.backbone_modules import feature_modules
from .layers.channel_products import channel_products
from .layers.feature_maps import needs_equal_channels
from .layers.pooling import pool_to_smaller


class FSP(Method):
    """A Gift from Knowledge Distillation: Fast Optimization, Network Minimization and Transfer Learning
    (Yim et al., CVPR 2017).

    For consecutive maps a and b, averaged to one size, the flow matrix is

        M_ij = mean over positions of  b_i a_j

    and the loss is the sum over all such pairs of mean (M_s - M_t)^2. The student learns it in a warm-up, without its
    classifier and without labels, and then continues with the other methods alone: this loss is 0 from then on.

    Args:
        weight: Has no effect, since the loss is used in the warm-up only; there the learning rate sets its scale.
        warmup_epochs: Epochs in which the student learns the flow.
        at: Maps, shallow to deep. `"stages"` begins with the stem if both networks have one.
    """

    def __init__(self, weight: float = 1.0, warmup_epochs: Whole = 30, at: Places = "stages"):
        super().__init__(weight)
        self.warmup_epochs = warmup_epochs
        self.at = at

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
        begins_with_stem = self.at == "stages" and student.stem and teacher.stem
        spots = [*([Spot("stem", "stem")] if begins_with_stem else []), *pair(self.at, student, teacher)]
        if len(spots) < 2:
            raise ValueError(f"FSP must read two maps or more, but at={self.at!r} names one; name more")
        return spots

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        self.image_size = data.image_size
        for spot in self.spots:
            s, t = student[spot.student], teacher[spot.teacher]
            needs_maps("FSP", student=s, teacher=t)
            needs_equal_channels("FSP", spot, s, t)

    def warmups(self, student: Tapped, teacher: Tapped) -> list[Warmup]:
        return [Warmup(self.warmup_epochs, feature_modules(student, self.image_size), self.flow_loss)]

    def flow_loss(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        """Outputs with maps (N, C, H, W), of equal channels -> (N,)"""
        s_flows = flows([student[spot.student] for spot in self.spots])
        t_flows = flows([teacher[spot.teacher] for spot in self.spots])
        first, *others = ((s - t).square().mean((1, 2)) for s, t in zip(s_flows, t_flows, strict=True))
        return sum(others, start=first)

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        return student.logits.new_zeros(())


def flows(maps: Sequence[Tensor]) -> list[Tensor]:
    """(N, C1, ...), (N, C2, ...), ... -> (N, C2, C1), (N, C3, C2), ..."""
    pooled = [pool_to_smaller(lower, upper) for lower, upper in pairwise(maps)]
    return [channel_products(upper, lower) / upper[0, 0].numel() for lower, upper in pooled]

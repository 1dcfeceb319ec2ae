"""Heterogeneous knowledge distillation: match how information flows through the stages, early in training."""

from typing import Literal

from torch import Tensor

from ..batch import Batch
from ..method import Places, RelationalMethod, Spot
from ..ranges import Fraction, NonNegative
from ..taps import Outputs
from .layers.affinity import cosines, gram, mean_over, probabilities, squared_distances


class HKD(RelationalMethod):
    """Heterogeneous Knowledge Distillation using Information Flow Modeling (Passalis et al., CVPR 2020,
    arXiv:2005.00727).

    At each stage the divergence of the probabilities p(j|i) = K_ij / sum_k K_ik that student and teacher pick sample
    j as a neighbour of i, once with cosine similarity, (cos + 1) / 2, once with Student's t, 1 / (1 + distance):

        mean over i, j of  (p_t(j|i) - p_s(j|i)) log(p_t(j|i) / p_s(j|i))

    The paper's teacher here is an auxiliary network shaped like the student but wider (`resnet8x4_double` for
    resnet8x4), which PKT has distilled from the actual teacher beforehand: train that one first.

    Args:
        initial_weight: Of stages with a raised weight.
        decay: Factor of this weight after every epoch.
        weighting: "critical_period", as in the paper and its authors' code, raises the weight of all stages but the
            last, and lets it decay. "first_stage", as in SemCKD's code, raises that of the first stage, without decay.
    """

    epsilon = 1e-6

    def __init__(
        self,
        weight: float = 1.0,
        initial_weight: NonNegative = 100.0,
        decay: Fraction = 0.7,
        weighting: Literal["critical_period", "first_stage"] = "critical_period",
        at: Places = "stages",
    ):
        super().__init__(weight, at)
        self.initial_weight, self.decay = initial_weight, decay
        self.weighting = weighting

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        loss = super().loss_at(spot, student, teacher, batch)
        return self.prepared(batch)[" ".join(spot)].to(loss.dtype) * loss

    def before_step(self, batch: Batch) -> dict[str, Tensor]:
        return {" ".join(spot): batch.number(self.stage_weight(spot, int(batch.epoch))) for spot in self.spots}

    def stage_weight(self, spot: Spot, epoch: int) -> float:
        if self.weighting == "first_stage":
            return self.initial_weight if spot == self.spots[0] else 1.0
        return 1.0 if spot == self.spots[-1] else self.initial_weight * self.decay**epoch

    def loss(self, student: Tensor, teacher: Tensor, active: Tensor | None = None) -> Tensor:
        """(N, ...), (N, ...), (N,) -> ()"""
        pairs = zip(self.neighbours(student, active), self.neighbours(teacher, active), strict=True)
        by_cosine, by_distance = (mean_over((q - p) * (q.log() - p.log()), active) for p, q in pairs)
        return by_cosine + by_distance

    def neighbours(self, features: Tensor, active: Tensor | None) -> tuple[Tensor, Tensor]:
        """(N, ...), (N,) -> two (N, N), row i the probabilities p(j|i): by cosine and by distance"""
        distances = (squared_distances(gram(features)) + self.epsilon).sqrt()
        by_cosine, by_distance = cosines(features, self.epsilon) + 1, 1 / (1 + distances)
        return probabilities(by_cosine, active), probabilities(by_distance, active)

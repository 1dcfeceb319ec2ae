"""Probabilistic knowledge transfer: match which samples are neighbours."""

from torch import Tensor

from ..method import Places, RelationalMethod
from .layers.affinity import cosines, mean_over, probabilities


class PKT(RelationalMethod):
    """Learning Deep Representations with Probabilistic Knowledge Transfer (Passalis & Tefas, ECCV 2018,
    arXiv:1803.10837).

    The divergence of two conditional probabilities, with K the cosine similarity mapped to [0, 1]:

        mean over i, j of  p_t(j|i) log(p_t(j|i) / p_s(j|i))        p(j|i) = K_ij / sum_k K_ik

    The mean over all pairs, including j = i, is that of the authors' code; the paper writes a sum over the others. The
    weight is the CIFAR-100 benchmark's (Tian et al., ICLR 2020).
    """

    epsilon = 1e-7

    def __init__(self, weight: float = 30000.0, at: Places = "embedding"):
        super().__init__(weight, at)

    def loss(self, student: Tensor, teacher: Tensor, active: Tensor | None = None) -> Tensor:
        """(N, ...), (N, ...), (N,) -> ()"""
        p, q = self.neighbours(student, active), self.neighbours(teacher, active)
        return mean_over(q * ((q + self.epsilon) / (p + self.epsilon)).log(), active)

    def neighbours(self, features: Tensor, active: Tensor | None) -> Tensor:
        """(N, ...), (N,) -> (N, N), row i the probabilities p(j|i)"""
        return probabilities(cosines(features, self.epsilon) + 1, active)  # the paper halves this, with the same result

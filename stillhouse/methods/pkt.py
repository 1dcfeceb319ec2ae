"""Probabilistic knowledge transfer: samples that are neighbours for the teacher shall be for the student."""

from torch import Tensor

from ..layers.affinity import cosines, gram, probabilities
from ..method import FeatureMethod, Places


class PKT(FeatureMethod):
    """Learning Deep Representations with Probabilistic Knowledge Transfer (Passalis & Tefas, ECCV 2018, arXiv:1803.10837).

    The divergence of two conditional probabilities, with K the cosine similarity shifted to [0, 1]:

        mean over i, j of  p_t(j|i) log(p_t(j|i) / p_s(j|i))        p(j|i) = K_ij / sum_k K_ik

    As in the authors' code, which takes the mean over all pairs, j = i included; the paper writes a sum over the others.
    The CIFAR-100 benchmark (Tian et al., ICLR 2020) weighs this mean with 30000.
    """

    epsilon = 1e-7

    def __init__(self, weight: float = 30000.0, at: Places = "embedding"):
        super().__init__(weight, at)

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """(N, ...), (N, ...) -> ()"""
        p, q = self.neighbours(student), self.neighbours(teacher)
        return (q * ((q + self.epsilon) / (p + self.epsilon)).log()).mean()

    def neighbours(self, features: Tensor) -> Tensor:
        """(N, ...) -> (N, N), row i the probabilities p(j|i)"""
        return probabilities((cosines(gram(features), self.epsilon) + 1) / 2)

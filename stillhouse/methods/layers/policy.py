"""Policies: for each sample, they choose between teacher and student at each of several places."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...batch import Batch, Preparing
from ...taps import Outputs


class Policy(Preparing):
    """A trained policy that reads both embeddings of a sample.

    Args:
        places: Their number P.
        temperature: Of the softmax that gives the gradients.
        prior: Initial value added to the scores for the teacher.
    """

    def __init__(self, student: Outputs, teacher: Outputs, places: int, temperature: float, prior: float):
        super().__init__()
        width = teacher["embedding"].shape[1] + student["embedding"].shape[1]
        self.linear = nn.Linear(width, 2 * places)
        with torch.no_grad():
            self.linear.bias[::2] += prior
        self.temperature = temperature

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> tuple[Tensor, Tensor]:
        """-> (N, P) ones and zeros, with the gradient of their softened probability; (N, P) probabilities of ones"""
        seen = torch.cat([teacher["embedding"], student["embedding"]], dim=1).detach()
        scores = self.linear(seen).unflatten(1, (-1, 2))  # (N, P, 2), for the teacher and for the student
        noisy = scores + self.noise(scores, batch)
        soft = (noisy / self.temperature).softmax(2)[..., 0]
        hard = (noisy[..., 0] > noisy[..., 1]).to(soft)
        return hard + (soft - soft.detach()), scores.softmax(2)[..., 0].detach()

    def noise(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return Gumbel noise of the shape of the scores, (N, P, 2)."""
        uniform = batch.prepared[self]["uniform"] if self in batch.prepared else self._uniform(len(scores), batch)
        return -(-(uniform + 1e-20).log() + 1e-20).log()

    def before_step(self, batch: Batch) -> dict[str, Tensor]:
        return {"uniform": self._uniform(len(batch.labels), batch)}

    def _uniform(self, count: int, batch: Batch) -> Tensor:
        like, shape = self.linear.bias, (count, len(self.linear.bias) // 2, 2)
        return torch.rand(shape, generator=batch.generator("spots"), device=like.device, dtype=like.dtype)


class AtRandom(Preparing):
    """A random policy, which reads nothing and learns nothing.

    Args:
        places: Their number P.
        rate: Probability of a one.
    """

    def __init__(self, places: int, rate: float):
        super().__init__()
        self.places, self.rate = places, rate

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> tuple[Tensor, Tensor]:
        """-> (N, P) ones and zeros; (N, P) the probabilities of ones"""
        probability = student.logits.new_full((len(batch.labels), self.places), self.rate)
        return self.prepared(batch)["gates"].to(probability), probability

    def before_step(self, batch: Batch) -> dict[str, Tensor]:
        probability = batch.images.new_full((len(batch.labels), self.places), self.rate)
        return {"gates": torch.bernoulli(probability, generator=batch.generator("spots"))}


class AgentLoss(NamedTuple):
    """The loss of policies and adapters, with R the routes' cross-entropy and C that of the student alone.

    gamma^sign(R - C) R + max(0, balance N - number of ones at the last place), or gamma R if a teacher is trained too.
    """

    gamma: float
    balance: float
    teacher_learns: bool

    def __call__(self, routed: Tensor, alone: Tensor, labels: Tensor, gates: Tensor) -> Tensor:
        """(N, C) logits of the routes, (N, C) of the student, (N,), (N, P) -> ()"""
        r = F.cross_entropy(routed, labels)
        if self.teacher_learns:
            return self.gamma * r
        c = F.cross_entropy(alone.detach(), labels)
        scale: Tensor = self.gamma ** (r.detach() - c).sign()
        return scale * r + F.relu(self.balance * len(gates) - gates[:, -1].sum())

"""Decides, sample by sample, between two ways at each of several places."""

import torch
from torch import Tensor, nn

from ...batch import Batch, Preparing
from ...taps import Outputs


class Policy(Preparing):
    """Reads both embeddings of a sample and decides for each of P places, teacher or student."""

    def __init__(self, student: Outputs, teacher: Outputs, places: int, temperature: float, prior: float):
        super().__init__()
        width = teacher["embedding"].shape[1] + student["embedding"].shape[1]
        self.linear = nn.Linear(width, 2 * places)
        with torch.no_grad():
            self.linear.bias[::2] += prior
        self.temperature = temperature

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> tuple[Tensor, Tensor]:
        """Twice (N, P): ones and zeros, with the gradient of their softened probability; and that of the ones"""
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

"""Decides, sample by sample, between two ways at each of several places."""

import torch
from torch import Tensor, nn

from ...batch import Batch
from ...taps import Outputs


class Policy(nn.Module):
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
        """Gumbel's"""
        uniform = torch.rand(scores.shape, generator=batch.generator("spots"), device=scores.device, dtype=scores.dtype)
        return -(-(uniform + 1e-20).log() + 1e-20).log()

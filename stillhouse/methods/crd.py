"""Contrastive distillation: tell an image's own teacher embedding from those of other classes, and the reverse."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..anatomy import Anatomy
from ..batch import Batch, DataInfo
from ..method import Spot, SpotMethod
from ..ranges import Count, ProperFraction, Temperature, Width
from ..taps import Outputs
from .layers.memory import Classmates, Memory


class CRD(SpotMethod):
    """Contrastive Representation Distillation (Tian et al., ICLR 2020, arXiv:1910.10699).

    A linear layer for each network, trained with the student, turns embeddings into unit vectors s and t. Each s is
    compared with a memory of the other network's vectors for all n training images: with the image's own, k = 0, and
    with K of other classes:

        -log [P_0 / (P_0 + K/n)] - sum over k of log [(K/n) / (P_k + K/n)],  P_k = exp(s . memory_k / temperature) / Z

    plus the same with t and the student's memory. Z makes P average 1 / n over the first batch, and is then fixed.
    Afterwards both memories are updated with the whole batch. The code draws an image's negatives without replacement,
    this one with replacement.

    Args:
        dim: Length of s and t.
        num_negatives: K.
        positive: "exact" is the same image, "relax" any image of its class.
    """

    log_normalisers: Tensor  # (2,) log Z for s and for t, infinite until the first batch

    def __init__(
        self,
        weight: float = 0.8,
        dim: Width = 128,
        num_negatives: Count = 16384,
        temperature: Temperature = 0.07,
        momentum: ProperFraction = 0.5,
        positive: Literal["exact", "relax"] = "exact",
    ):
        super().__init__(weight)
        self.dim, self.num_negatives, self.positive = dim, num_negatives, positive
        self.temperature, self.momentum = temperature, momentum

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
        return [Spot("embedding", "embedding")]

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        self.embed_student = nn.Linear(student["embedding"][0].numel(), self.dim)
        self.embed_teacher = nn.Linear(teacher["embedding"][0].numel(), self.dim)
        self.classmates = Classmates(data.labels, data.num_classes)
        self.student_memory = Memory(len(data.labels), self.dim, self.momentum)
        self.teacher_memory = Memory(len(data.labels), self.dim, self.momentum)
        self.register_buffer("log_normalisers", torch.full((2,), math.inf))

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        s = F.normalize(self.embed_student(student[spot.student].flatten(1)))
        t = F.normalize(self.embed_teacher(teacher[spot.teacher].flatten(1)))
        return self.loss(s, t, batch.indices, self.prepared(batch)["candidates"], batch.active)

    def before_step(self, batch: Batch) -> dict[str, Tensor]:
        return {"candidates": self.candidates(batch)}

    def candidates(self, batch: Batch) -> Tensor:
        """-> (N, 1 + K), the positions in the training set of the positive and of the negatives"""
        own = batch.indices[:, None]
        if self.positive == "relax":
            own = self.classmates.same(batch.labels, 1, batch.generator("CRD positives"))
        others = self.classmates.other(batch.labels, self.num_negatives, batch.generator("CRD negatives"))
        return torch.cat([own, others], dim=1)

    def loss(
        self, student: Tensor, teacher: Tensor, indices: Tensor, candidates: Tensor, active: Tensor | None = None
    ) -> Tensor:
        """(N, dim), (N, dim), (N,), (N, 1 + K), (N,) -> (N,)

        In train mode the memories are updated after they were read. Only active samples affect them and Z.
        """
        active = torch.ones_like(indices, dtype=torch.bool) if active is None else active > 0
        student_loss = self.contrast(student, self.teacher_memory.bank, candidates, active, side=0)
        teacher_loss = self.contrast(teacher, self.student_memory.bank, candidates, active, side=1)
        if self.training:
            self.student_memory.update(indices, student.detach(), active)
            self.teacher_memory.update(indices, teacher.detach(), active)
        return student_loss + teacher_loss

    def contrast(self, anchor: Tensor, bank: Tensor, candidates: Tensor, active: Tensor, side: int) -> Tensor:
        """(N, dim), (n, dim), (N, 1 + K), (N,) -> (N,)

        With x = log(P n / K), negated for k = 0, each term is softplus(x), its slope sigmoid(x). All scores come from
        one matrix product. A second one, with the slopes in the candidates' places, gives the gradient. This takes much
        less time and memory than gathering (N, 1 + K, dim) vectors.
        """
        negatives = candidates.shape[1] - 1
        share = negatives / len(bank)
        noise = share + 1e-7  # as in the code's denominators
        with torch.no_grad():
            scores = anchor / self.temperature @ bank.T  # (N, n)
            picked = scores.gather(1, candidates)  # (N, 1 + K)
            known, counted = self.log_normalisers[side], (active | ~active.any()).to(scores)
            first = (picked.logsumexp(1) + counted.log()).logsumexp(0) - counted.sum().log()
            log_z = torch.where(known.isinf(), first + math.log(len(bank) / picked.shape[1]), known)
            if self.training:
                self.log_normalisers[side] = torch.where(active.any(), log_z, known)
            x = picked - (log_z + math.log(noise))  # log(P n / K)
            x[:, 0].neg_()
            value = F.softplus(x, threshold=40).sum(1) + negatives * math.log(noise / share)
            slopes = x.sigmoid()
            slopes[:, 0].neg_()
            gradient = scores.zero_().scatter_add_(1, candidates, slopes) @ bank / self.temperature  # (N, dim)
        return value + ((anchor - anchor.detach()) * gradient).sum(1)  # the value, with this gradient

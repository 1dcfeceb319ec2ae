"""Losses as one writes them down first: products by broadcasting, rows by gathering, samples by a loop.

What `losses.py` compares with. Trained layers are taken from the methods themselves.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Maps = Sequence[Tensor]


def kd(student: Tensor, teacher: Tensor, temperature: float = 4.0) -> Tensor:
    log_p, q = F.log_softmax(student / temperature, dim=1), F.softmax(teacher / temperature, dim=1)
    return F.kl_div(log_p, q, reduction="sum") * temperature**2 / len(student)


def at(student: Maps, teacher: Maps) -> Tensor:
    def attention(features: Tensor) -> Tensor:
        return F.normalize(features.pow(2).mean(1).flatten(1))

    return _sum((attention(s) - attention(t)).pow(2).mean() for s, t in zip(student, teacher, strict=True))


def sp(student: Tensor, teacher: Tensor) -> Tensor:
    def similarities(features: Tensor) -> Tensor:
        flat = features.reshape(len(features), -1)
        return F.normalize(flat @ flat.t())

    return (similarities(teacher) - similarities(student)).pow(2).sum() / len(student) ** 2


def pkt(student: Tensor, teacher: Tensor, epsilon: float = 1e-7) -> Tensor:
    def neighbours(features: Tensor) -> Tensor:
        unit = features / (features.pow(2).sum(1, keepdim=True).sqrt() + epsilon)
        similarities = (unit @ unit.t() + 1) / 2
        return similarities / similarities.sum(1, keepdim=True)

    p, q = neighbours(student), neighbours(teacher)
    return (q * torch.log((q + epsilon) / (p + epsilon))).mean()


def cc(student: Tensor, teacher: Tensor) -> Tensor:
    distances = (student - teacher).abs()
    return (distances[:-1] * distances[1:]).sum(1).mean()


def vid(student: Maps, teacher: Maps, regressors: Sequence[nn.Module], log_scales: Sequence[Tensor]) -> Tensor:
    losses = []
    for s, t, regressor, log_scale in zip(student, teacher, regressors, log_scales, strict=True):
        variance = (torch.log(1 + torch.exp(log_scale)) + 1e-5).view(1, -1, 1, 1)
        losses.append((0.5 * ((regressor(s) - t) ** 2 / variance + torch.log(variance))).mean())
    return _sum(losses)


def rkd(student: Tensor, teacher: Tensor) -> Tensor:
    """Distances and angles from all N x N x D differences"""

    def distances(features: Tensor) -> Tensor:
        square = features.pow(2).sum(1)
        lengths = (square[:, None] + square[None] - 2 * features @ features.t()).clamp(min=1e-12).sqrt()
        lengths = lengths * (1 - torch.eye(len(features), dtype=features.dtype))
        return lengths / lengths[lengths > 0].mean()

    def angles(features: Tensor) -> Tensor:
        directions = F.normalize(features.unsqueeze(0) - features.unsqueeze(1), p=2, dim=2)
        return torch.bmm(directions, directions.transpose(1, 2)).flatten()

    distance = F.smooth_l1_loss(distances(student), distances(teacher))
    return 25 * distance + 50 * F.smooth_l1_loss(angles(student), angles(teacher))


def nst(student: Maps, teacher: Maps) -> Tensor:
    """Kernels from N x C x C x HW products"""

    def kernel(one: Tensor, other: Tensor) -> Tensor:
        return (one.unsqueeze(2) * other.unsqueeze(1)).sum(-1).pow(2).mean()

    losses = []
    for s, t in zip(student, teacher, strict=True):
        s, t = (F.normalize(features.flatten(2), dim=2) for features in (s, t))
        losses.append(kernel(t, t) + kernel(s, s) - 2 * kernel(s, t))
    return _sum(losses)


def fsp(student: Maps, teacher: Maps) -> Tensor:
    """Flows from N x C x C x HW products"""

    def flows(maps: Maps) -> list[Tensor]:
        found = []
        for lower, upper in pairwise(maps):
            if lower.shape[2] > upper.shape[2]:
                lower = F.adaptive_avg_pool2d(lower, upper.shape[2:])
            elif lower.shape[2] < upper.shape[2]:
                upper = F.adaptive_avg_pool2d(upper, lower.shape[2:])
            found.append((lower.unsqueeze(1) * upper.unsqueeze(2)).flatten(3).mean(-1))
        return found

    return _sum((s - t).pow(2).mean() for s, t in zip(flows(student), flows(teacher), strict=True))


def dspp(student: Tensor, teacher: Tensor, levels: int = 4, divisor: int = 5) -> Tensor:
    """One sample after another"""

    def pyramid(features: Tensor) -> Tensor:
        count, _, height, _ = features.shape
        found = []
        for level in range(1, levels + 1):
            size = math.ceil(height / level)
            padding = (size * level - height + 1) // 2
            found.append(F.avg_pool2d(features, size, size, padding).reshape(count, -1))
        return torch.cat(found, dim=1)

    losses = []
    for s, t in zip(F.normalize(pyramid(student)), F.normalize(pyramid(teacher)), strict=True):
        count = len(t) // divisor
        strong, weak = t.topk(count).indices, t.topk(len(t) - count, largest=False).indices
        losses.append(0.9 * torch.dist(s[strong], t[strong]) + 2.5 * torch.dist(s[weak], t[weak]))
    return torch.stack(losses).mean()


class CRD:
    """Scores from N x (K + 1) x D gathered rows of the memories

    Args:
        memories: Of the student's and of the teacher's vectors, (n, D).
    """

    temperature, momentum = 0.07, 0.5

    def __init__(self, memories: Sequence[Tensor]):
        self.memories = [memory.clone() for memory in memories]
        self.normalisers = [0.0, 0.0]

    def __call__(self, student: Tensor, teacher: Tensor, indices: Tensor, candidates: Tensor) -> Tensor:
        losses = []
        for side, (anchor, memory) in enumerate(((student, self.memories[1]), (teacher, self.memories[0]))):
            (count, picked), images = candidates.shape, len(memory)
            rows = torch.index_select(memory, 0, candidates.view(-1)).view(count, picked, -1)
            scores = torch.exp(torch.bmm(rows, anchor.unsqueeze(2)).squeeze(2) / self.temperature)
            if not self.normalisers[side]:
                self.normalisers[side] = scores.mean().item() * images
            losses.append(self.contrast(scores / self.normalisers[side], (picked - 1) / images))
        with torch.no_grad():
            for memory, vectors in zip(self.memories, (student, teacher), strict=True):
                moved = self.momentum * memory[indices] + (1 - self.momentum) * vectors
                memory[indices] = moved / moved.norm(dim=1, keepdim=True)
        return _sum(losses)

    def contrast(self, p: Tensor, share: float) -> Tensor:
        positive = torch.log(p[:, 0] / (p[:, 0] + share + 1e-7))
        negatives = torch.log(share / (p[:, 1:] + share + 1e-7))
        return -(positive.sum() + negatives.sum()) / len(p)


def semckd(
    student: Maps,
    teacher: Maps,
    queries: Sequence[nn.Module],
    keys: Sequence[nn.Module],
    regressors: Sequence[nn.Module],
) -> Tensor:
    def embed(networks: Sequence[nn.Module], maps: Maps) -> Tensor:
        flat = [features.reshape(len(features), -1) for features in maps]
        vectors = [network(x @ x.t()) for network, x in zip(networks, flat, strict=True)]
        return torch.stack([x / x.norm(dim=1, keepdim=True) for x in vectors], dim=1)

    attention = F.softmax(embed(queries, student) @ embed(keys, teacher).transpose(1, 2), dim=2)
    regressor, losses = iter(regressors), []
    for i, s in enumerate(student):
        for j, t in enumerate(teacher):
            features, target = s, t
            if s.shape[2] > t.shape[2]:
                features = F.adaptive_avg_pool2d(s, t.shape[2:])
            elif s.shape[2] < t.shape[2]:
                target = F.adaptive_avg_pool2d(t, s.shape[2:])
            errors = F.mse_loss(next(regressor)(features), target, reduction="none").mean((1, 2, 3))
            losses.append((attention[:, i, j] * errors).sum())
    return _sum(losses) / (len(student) * len(student[0]))


def _sum(losses: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(losses)).sum()

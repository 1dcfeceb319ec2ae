"""A memory of every training image, for methods that compare a batch with images outside it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Memory(nn.Module):
    """A unit vector for every training image: a running average of its embeddings.

    Args:
        images: The size of the training set.
        dim: Length of an embedding.
        momentum: Share of the old vector in an update.
    """

    bank: Tensor  # (images, dim)

    def __init__(self, images: int, dim: int, momentum: float):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("bank", (2 * torch.rand(images, dim) - 1) * (3 / dim) ** 0.5)  # about unit length

    @torch.no_grad()
    def update(self, indices: Tensor, embeddings: Tensor, active: Tensor) -> None:
        """Update the vectors of some images; for an image that occurs twice the last one counts, on every device.

        (N,), (N, dim), (N,) True for those that count
        """
        if not len(indices):
            return
        same, position = (indices[:, None] == indices) & active, torch.arange(len(indices), device=indices.device)
        last = torch.where(same, position, -1).amax(1)
        known = self.bank[indices]
        moved = F.normalize(self.momentum * known + (1 - self.momentum) * embeddings[last])
        self.bank[indices] = torch.where(same.any(1)[:, None], moved, known)


class Classmates(nn.Module):
    """Draw training images of the same class or of other classes: O(1) a draw, on the device, for any class sizes.

    Args:
        labels: Of the whole training set, (images,).
    """

    by_class: Tensor  # (images,) positions in the training set, class after class
    count: Tensor  # (classes,) images of a class
    start: Tensor  # (classes,) position of the first one in `by_class`

    def __init__(self, labels: Tensor, num_classes: int):
        super().__init__()
        count = torch.bincount(labels, minlength=num_classes)
        if (count > 0).sum() < 2:
            raise ValueError(
                "the training images must have two or more labels, but all have the same; choose another method"
            )
        self.register_buffer("by_class", labels.argsort(stable=True), persistent=False)
        self.register_buffer("count", count, persistent=False)
        self.register_buffer("start", count.cumsum(0) - count, persistent=False)

    def same(self, labels: Tensor, number: int, generator: torch.Generator) -> Tensor:
        """(N,) -> (N, number), of each label's own class"""
        count, start = self.count[labels, None], self.start[labels, None]
        return self.by_class[start + _below(count, number, generator)]

    def other(self, labels: Tensor, number: int, generator: torch.Generator) -> Tensor:
        """(N,) -> (N, number), of all classes but each label's own"""
        count, start = self.count[labels, None], self.start[labels, None]
        draw = _below(len(self.by_class) - count, number, generator)
        return self.by_class[torch.where(draw < start, draw, draw + count)]  # step over the own class


def _below(limit: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """(N, 1) -> (N, number), integers from 0 to each row's limit - 1"""
    uniform = torch.rand(len(limit), number, dtype=torch.float64, device=limit.device, generator=generator)
    return (uniform * limit).long()

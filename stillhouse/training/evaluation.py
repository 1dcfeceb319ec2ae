"""Measure a network on held-out images."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from .. import distributed
from ..data import Split
from ..modes import in_eval_mode

MANY = 256  # images at once, if memory is no concern


@dataclass(frozen=True)
class Scores:
    """A network's logits for the images of a split, and the measures of them."""

    logits: Tensor  # (N, C) float32
    labels: Tensor  # (N,)

    @property
    def correct(self) -> Tensor:
        """(N,) bool, the images whose class is the network's first guess."""
        return self.logits.argmax(1) == self.labels

    @property
    def top1(self) -> float:
        """Percent of images whose class is the network's first guess."""
        return _percent(self.correct)

    @property
    def top5(self) -> float:
        """Percent of images whose class is among the network's first five guesses."""
        guesses = self.logits.topk(min(5, self.logits.shape[1]), 1).indices
        return _percent((guesses == self.labels[:, None]).any(1))

    @property
    def loss(self) -> float:
        """Mean cross-entropy."""
        return nn.functional.cross_entropy(self.logits, self.labels).item()

    def agreement(self, other: "Scores") -> float:
        """Percent of images on which two networks make the same first guess."""
        return _percent(self.logits.argmax(1) == other.logits.argmax(1))


def _percent(among: Tensor) -> float:
    """Return the share that is true of (N,) bool, counted: in float32, 321 of 480 would fall below 66.875."""
    return 100 * int(among.sum()) / len(among)


def batch_size(in_training: int) -> int:
    """Return the number of images to evaluate at once: more than in training, as no gradients are kept."""
    return max(in_training, min(4 * in_training, MANY))


@torch.no_grad()
def evaluate(model: nn.Module, split: Split, device: torch.device | str) -> Scores:
    """Run a network on every image of a split once, in eval mode; the modes are restored afterwards."""
    with in_eval_mode(model):
        batches = split.batches(device, batch_size(split.batch_size))
        outputs = [(batch.indices, model(batch.images).float(), batch.labels) for batch in batches]
    if distributed.world_size() > 1:  # each rank has done some of the batches
        parts = distributed.collect([(at.cpu(), logits.cpu(), labels.cpu()) for at, logits, labels in outputs])
        outputs = sorted((batch for part in parts for batch in part), key=lambda batch: batch[0][0].item())
    _, logits, labels = (torch.cat(values).to(device) for values in zip(*outputs, strict=True))
    return Scores(logits, labels)


@torch.no_grad()
def size_of(model: nn.Module, image_size: int) -> tuple[int, int]:
    """Return the number of parameters, and of multiply-accumulates for one image."""
    parameter = next(model.parameters())
    image = torch.zeros(1, 3, image_size, image_size, dtype=parameter.dtype, device=parameter.device)
    with FlopCounterMode(display=False) as counter, in_eval_mode(model):
        model(image)
    return sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 2

"""A linear layer trained by SGD on a frozen network's features, as tables of transfer since CRD's are made.

The schedule is the one of CRD's students (Tian et al., ICLR 2020, arXiv:1910.10699): 240 epochs with batches of 128 and
learning rate 0.05, divided by 10 after 150, 180 and 210 epochs. The paper does not tell all of it: momentum 0.9 is that
of its students, and weight decay is 0 or 5e-4 depending on who repeats it. Two things are as nobody's script has them:
each image is shown once, as in evaluation, and BatchNorms keep their statistics (SemCKD's former script let them adapt
to the new images). The features are not standardised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import yaml
from torch import Tensor, nn
from torch.nn import functional as F

from ..report.recipes import FOLDER
from ..rng import seeded, stream
from .linear_probe import Features

EPOCHS, DROPS, BATCH, LR, MOMENTUM = 240, (150, 180, 210), 128, 0.05, 0.9
SIZE = 32  # pixels
MEAN, STD = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)  # of CIFAR-100, as the benchmark's code has them


def sgd_probe(train: Features, test: Features, weight_decay: float = 0.0, seed: int = 0) -> float:
    """Train a linear layer on features and return its top-1 in percent of the test images.

    Args:
        seed: Of the layer's first weights and of the order of the images.

    Raises:
        ValueError: If there is one class only, or features or the trained weights are not finite.
    """
    classes = int(train.labels.max()) + 1
    if len(torch.unique(train.labels)) < 2:
        raise ValueError("a linear probe needs training images of two classes or more")
    if not all(part.values.isfinite().all() for part in (train, test)):
        raise ValueError("the network's features are NaN or infinite for some images: its weights are of no use")
    values, labels = train.values.float(), train.labels
    with seeded(seed, "probe"):
        layer = nn.Linear(values.shape[1], classes)
    optimizer = torch.optim.SGD(layer.parameters(), LR, MOMENTUM, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(DROPS), 0.1)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(labels), generator=stream(seed, "probe", epoch))
        for batch in torch.split(order, BATCH):
            optimizer.zero_grad()
            F.cross_entropy(layer(values[batch]), labels[batch]).backward()  # type: ignore[no-untyped-call] # in PyTorch
            optimizer.step()
        schedule.step()
    with torch.no_grad():
        logits = layer(test.values.float())
    if not logits.isfinite().all():
        raise ValueError("the linear layer became NaN or infinite: the features are too large for learning rate 0.05")
    right: Tensor = logits.argmax(1) == test.labels
    return 100 * right.double().mean().item()


@dataclass(frozen=True)
class Transfer:
    """Published accuracies of linear layers on the features of one pair's students."""

    source: str
    verified: bool  # by somebody who compared them with the paper
    pair: str
    trained_on: str
    top1: Mapping[str, Mapping[str, float]]  # by data set and method, percent

    def sentence(self, data: str) -> str:
        """Return the results on a data set in words; empty if there are none."""
        if data not in self.top1:
            return ""
        results = ", ".join(f"{method} {top1:.1f}" for method, top1 in self.top1[data].items())
        doubt = "" if self.verified else "; not verified"
        return f"published for {self.pair} of {self.trained_on}: {results} ({self.source}{doubt})"


def transfer() -> Transfer:
    """Return what CRD's paper reports."""
    found = yaml.safe_load((FOLDER / "transfer" / "crd.yaml").read_text(encoding="utf-8"))
    names = ("source", "verified", "pair", "trained_on", "top1")
    return Transfer(**{name: found[name] for name in names})

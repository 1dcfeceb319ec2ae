"""A linear classifier on a frozen network's features: how much of another task they already hold.

The protocol is that of Kornblith et al. (Do Better ImageNet Models Transfer Better?, CVPR 2019, arXiv:1805.08974) and
of CLIP (arXiv:2103.00020): logistic regression by L-BFGS on the features of images as evaluation shows them, its
regularisation chosen on held-out training images, then fitted to all of them. Nothing in it is random, and its loss is
convex. Two things differ: features are standardised first, and fewer strengths of regularisation are tried. CRD's
transfer table (arXiv:1910.10699) and what follows it train a linear layer by SGD for a fixed number of epochs instead:
those numbers are of another protocol.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from ..data import Split
from ..data.dataset import stratified
from ..taps import Tapped
from ..training.evaluation import Scores, evaluate

STRENGTHS = (10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5)  # of (strength / 2) |W|^2 beside the mean cross-entropy
HELD_OUT = 0.2  # of the training images of each class, where the data have no validation images
_STEPS = 1000  # of L-BFGS, at most


@dataclass(frozen=True)
class Features:
    """Vectors that a network's head reads, one for each image of a split."""

    values: Tensor  # (N, D) float64, on the CPU
    labels: Tensor  # (N,) int64

    def rows(self, where: Tensor) -> Features:
        return Features(self.values[where], self.labels[where])


@dataclass(frozen=True)
class Probed:
    """The outcome of a linear probe."""

    top1: float  # percent of the test images
    strength: float
    chosen_top1: float  # percent of the images that the strength was chosen by
    chosen_by: int  # images
    is_converged: bool
    is_at_an_end: bool  # see `at_an_end`


class _Embedding(nn.Module):
    """A network that ends before its head."""

    def __init__(self, net: Tapped):
        super().__init__()
        self.net = net
        net.tap(["embedding"])

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, S, S) -> (N, D)"""
        embedding: Tensor = self.net(images)["embedding"]
        return embedding.flatten(1)


def features(net: Tapped, split: Split, device: torch.device) -> Features:
    """Return what the head of a network reads, for every image of a split, shown as in evaluation.

    Raises:
        ValueError: If it has no head that is known.
    """
    if net.anatomy.head is None:
        raise ValueError(
            f"no classifier was found at the end of this {type(net.model).__name__}, so nobody knows which features it "
            "reads; give --anatomy.head"
        )
    seen: Scores = evaluate(_Embedding(net).to(device), split, device)
    return Features(seen.logits.double().cpu(), seen.labels.cpu())


def probe(train: Features, test: Features, validation: Features | None = None) -> Probed:
    """Train a linear classifier on features and measure it on the test images.

    Args:
        validation: Of images to choose the regularisation by; None: a fifth of each class of the training images.

    Raises:
        ValueError: If there is one class only, or features are not finite.
    """
    if len(torch.unique(train.labels)) < 2:
        raise ValueError("a linear probe needs training images of two classes or more")
    if not all(part.values.isfinite().all() for part in (train, test)):
        raise ValueError("the network's features are NaN or infinite for some images: its weights are of no use")
    fitted, judge = train, validation
    if judge is None:
        kept, held_out = stratified(train.labels, HELD_OUT, seed=0)
        fitted, judge = train.rows(kept), train.rows(held_out)
        if len(held_out) == 0:
            raise ValueError("a linear probe needs two training images of a class, one of them to choose by")
    tried = [(_top1(model, judge), strength) for strength, model in _fits(fitted, STRENGTHS)]
    best, strength = max(tried, key=lambda one: one[0])  # of equals the first, which is the strongest
    *_, (_, model) = _fits(train, STRENGTHS[: STRENGTHS.index(strength) + 1])
    converged = bool(model.regression.n_iter_[0] < _STEPS)
    return Probed(_top1(model, test), strength, best, len(judge.labels), converged, at_an_end(tried, strength))


def at_an_end(tried: Sequence[tuple[float, float]], strength: float) -> bool:
    """Return True if one beyond those tried may be better: it is the first or last, and the one beside it is worse.

    Args:
        tried: Top-1 and strength of each, in the order of strengths.
    """
    ends = (tried[:2], tried[:-3:-1])
    return any(end[1] == strength and beside[0] < end[0] for end, beside in ends)


@dataclass(frozen=True)
class _Model:
    regression: LogisticRegression
    mean: Tensor  # (D,)
    deviation: Tensor  # (D,)

    def standardised(self, values: Tensor) -> Tensor:
        return (values - self.mean) / self.deviation


def _fits(train: Features, strengths: tuple[float, ...]) -> Iterator[tuple[float, _Model]]:
    """Yield the classifier of each strength; each begins where the one before it ended."""
    mean, deviation = train.values.mean(0), train.values.std(0, correction=0)
    deviation = torch.where(deviation > 0, deviation, 1.0)  # a feature that is the same everywhere tells nothing
    regression = LogisticRegression(max_iter=_STEPS, tol=1e-4, warm_start=True)
    model = _Model(regression, mean, deviation)
    values, labels = model.standardised(train.values).numpy(), train.labels.numpy()
    for strength in strengths:
        regression.set_params(C=1 / (strength * len(labels)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # said as `is_converged`
            regression.fit(values, labels)
        yield strength, model


def _top1(model: _Model, on: Features) -> float:
    guesses = torch.from_numpy(model.regression.predict(model.standardised(on.values).numpy()))
    return 100 * (guesses == on.labels).double().mean().item()

"""Temperature scaling, fitted on one half of the held-out images and judged on the other."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

import torch
from torch import Tensor
from torch.nn import functional as F

from ..analysis.metrics import error_of_confidence
from ..rng import stream
from ..training.evaluation import Scores
from ..training.predictions import Predictions

LOWEST, HIGHEST = 0.01, 100.0  # temperatures


@dataclass(frozen=True)
class Confidence:
    """Agreement of the probabilities of a network with how often it is right.

    Args:
        error: Expected calibration error in percent, 15 bins of equal width.
        loss: Mean cross-entropy in nats.
    """

    error: float
    loss: float


@dataclass(frozen=True)
class Calibration:
    """A network before and after temperature scaling, on all held-out images.

    Args:
        temperatures: Those of the first half and of the second half of the images; each scales the other half.
        before: Without a temperature.
        after: Each half scaled by the temperature of the other.
        scaled: First guesses with their confidence after scaling.
    """

    temperatures: tuple[float, float]
    before: Confidence
    after: Confidence
    scaled: Predictions

    @property
    def is_bounded(self) -> bool:
        """True if a temperature lies at an end of its range, so that the best one is beyond it."""
        return any(one in (LOWEST, HIGHEST) for one in self.temperatures)


def calibrate(scores: Scores) -> Calibration | None:
    """Fit a temperature on each half of the images, and judge it on the other; None for fewer than two images."""
    logits, labels = scores.logits.double().cpu(), scores.labels.cpu()
    if len(labels) < 2:
        return None
    first, second = halves(labels)
    of_first, of_second = (temperature(logits[half], labels[half]) for half in (first, second))
    scaled = logits.clone()
    scaled[first] /= of_second
    scaled[second] /= of_first
    guesses = logits.argmax(1)
    confidence = scaled.softmax(1).gather(1, guesses[:, None])[:, 0]
    return Calibration(
        (of_first, of_second),
        _confidence(logits, guesses, labels),
        _confidence(scaled, guesses, labels),
        Predictions(guesses.int(), confidence.float(), labels.int()),
    )


def halves(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Split images into two halves with equally many of each class, up to one: (N,) -> places (N/2,), (N/2,).

    They are the same each time: they depend on the labels only.
    """
    order = torch.randperm(len(labels), generator=stream(0, "halves for calibration"))
    by_class = order[labels[order].argsort(stable=True)]
    return by_class[::2].sort().values, by_class[1::2].sort().values


def temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature T with the least mean cross-entropy of softmax(logits / T): (N, C) float64, (N,).

    "On Calibration of Modern Neural Networks" (Guo et al., ICML 2017, arXiv:1706.04599). The cross-entropy is convex in
    1 / T, and its slope there is the mean of sum_c p_c z_c - z_label. It is zero once at most; Brent's method finds
    that between 0.01 and 100. Where it is zero nowhere between them, the better end is returned.
    """
    from scipy.optimize import brentq

    own = logits.gather(1, labels[:, None])[:, 0]

    def slope(log_temperature: float) -> float:
        probabilities = (logits / exp(log_temperature)).softmax(1)
        return float(((probabilities * logits).sum(1) - own).mean())

    low, high = log(LOWEST), log(HIGHEST)
    if slope(low) <= 0:
        return LOWEST
    if slope(high) >= 0:
        return HIGHEST
    return exp(float(brentq(slope, low, high, xtol=1e-12)))


def _confidence(logits: Tensor, guesses: Tensor, labels: Tensor) -> Confidence:
    confidence = logits.softmax(1).gather(1, guesses[:, None])[:, 0]
    error = error_of_confidence(confidence, guesses == labels)
    return Confidence(error, float(F.cross_entropy(logits, labels)))

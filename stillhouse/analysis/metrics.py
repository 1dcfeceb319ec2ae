"""Similarity of two networks' features and outputs, and calibration."""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..training.evaluation import Scores

_BINS = 15  # of confidence


def alignment(batches: Iterable[Sequence[Tensor]]) -> Tensor:
    """Return linear CKA, "Similarity of Neural Network Representations Revisited" (Kornblith et al., ICML 2019).

    K features (N, ...) of the same images, batch after batch -> (K, K): 1 where two are equal up to rotation and scale,
    about 0 where they have nothing in common. HSIC is estimated without bias on each batch and averaged, as in Nguyen
    et al. (ICLR 2021, arXiv:2010.15327): with the biased estimate, all wide features of few images would look similar.
    """
    total = torch.zeros(())
    for features in batches:
        count = len(features[0])
        if count > 3:
            grams = torch.stack([_centred_gram(feature) for feature in features])
            total = total + (grams @ grams.T / (count * (count - 3))).cpu()
    scale = total.diagonal().clamp(min=torch.finfo(total.dtype).tiny).rsqrt()
    return scale[:, None] * total * scale


def _centred_gram(features: Tensor) -> Tensor:
    """(N, ...) -> (N * N,), whose products are n (n - 3) times the unbiased HSIC (Song et al., JMLR 2012)."""
    rows = features.flatten(1)
    gram = (rows @ rows.T).double().fill_diagonal_(0)
    count, sums = len(gram), gram.sum(1)
    gram -= (sums[:, None] + sums) / (count - 2)
    gram += sums.sum() / ((count - 1) * (count - 2))
    return gram.fill_diagonal_(0).flatten()


def mean_by_class(values: Tensor, labels: Tensor, classes: int) -> Tensor:
    """(N, ...), (N,) -> (classes, ...); NaN for a class without images."""
    sums = values.new_zeros(classes, *values.shape[1:], dtype=torch.float64).index_add_(0, labels, values.double())
    return sums / labels.bincount(minlength=classes).view(-1, *[1] * (values.ndim - 1))


def accuracy_by_class(scores: Scores, classes: int) -> Tensor:
    """(classes,) percent; NaN for a class without images."""
    return 100 * mean_by_class(scores.logits.argmax(1) == scores.labels, scores.labels, classes)


def logit_difference(student: Scores, teacher: Scores, classes: int) -> Tensor:
    """Return the differences between two networks' mean logits, (classes, classes) with a diagonal of 0.

    Row i, column j holds the absolute difference of the mean logits of class j for the images of class i, as in the
    "logit correlation" figures of DKD (Zhao et al., CVPR 2022) and of papers that compare with it.
    """
    s, t = (mean_by_class(scores.logits, scores.labels, classes) for scores in (student, teacher))
    return (s - t).abs().fill_diagonal_(0)


def divergence(student: Scores, teacher: Scores) -> float:
    """Return KL(teacher || student) of their probabilities, in nats per image."""
    s, t = (F.log_softmax(scores.logits, dim=1) for scores in (student, teacher))
    return F.kl_div(s, t, reduction="batchmean", log_target=True).item()


def calibration_error(scores: Scores) -> float:
    """Return the expected calibration error (Guo et al., ICML 2017) in percent."""
    confidence, guess = F.softmax(scores.logits.double(), dim=1).max(1)
    return error_of_confidence(confidence, guess == scores.labels)


def error_of_confidence(confidence: Tensor, correct: Tensor) -> float:
    """Return the same of (N,) probabilities of first guesses, and (N,) bool that says which are right."""
    sums = by_confidence(confidence, correct)
    return 100 * (sums[:, 1] - sums[:, 2]).abs().sum().item() / len(confidence)


def by_confidence(confidence: Tensor, correct: Tensor) -> Tensor:
    """Count first guesses in 15 equal bins of confidence: (N,), (N,) bool -> (15, 3).

    The columns are the number of images, the sum of their confidences, and the number of those that are right.
    """
    bins = (confidence * _BINS).ceil().long().clamp(1, _BINS) - 1
    columns = torch.stack([torch.ones_like(confidence), confidence, correct.to(confidence)], dim=1).double()
    return columns.new_zeros(_BINS, 3).index_add_(0, bins, columns)

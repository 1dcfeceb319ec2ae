"""Likeness of features and of logits, each against its formula written slowly."""

from itertools import permutations
from math import exp, log

import pytest
import torch
from torch import Tensor

from stillhouse.analysis.metrics import (
    accuracy_by_class,
    alignment,
    calibration_error,
    divergence,
    logit_difference,
    mean_by_class,
)
from stillhouse.training.evaluation import Scores


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _hsic(k: list[list[float]], m: list[list[float]]) -> float:
    """The U-statistic: a mean over all four different samples (Song et al., JMLR 2012, equation 5's expectation)."""
    fours = list(permutations(range(len(k)), 4))
    terms = (k[i][j] * m[i][j] + k[i][j] * m[q][r] - 2 * k[i][j] * m[i][q] for i, j, q, r in fours)
    return sum(terms) / len(fours)


def _gram(features: Tensor) -> list[list[float]]:
    rows = features.flatten(1).tolist()
    return [[sum(a * b for a, b in zip(one, other, strict=True)) for other in rows] for one in rows]


def test_alignment_is_the_ratio_of_unbiased_estimates() -> None:
    batches = [[_random(count, 3, 2, seed=count), _random(count, 5, seed=count + 50)] for count in (6, 7)]
    grams = [[_gram(feature) for feature in batch] for batch in batches]

    def mean(one: int, other: int) -> float:
        return sum(_hsic(batch[one], batch[other]) for batch in grams) / len(grams)

    expected = mean(0, 1) / (mean(0, 0) * mean(1, 1)) ** 0.5
    ours = alignment(batches)
    torch.testing.assert_close(ours.diagonal(), torch.ones(2, dtype=torch.float64))
    assert ours[0, 1].item() == pytest.approx(expected, rel=1e-9)
    assert ours[1, 0] == ours[0, 1]


def test_features_that_are_turned_and_scaled_are_alike_and_independent_ones_are_not() -> None:
    features = _random(64, 16, 2, 2)
    rotation = torch.linalg.qr(_random(64, 64, seed=1)).Q
    turned = 3 * features.flatten(1) @ rotation + 5
    independent = _random(64, 4000, seed=2)  # so wide that the biased estimate calls any two alike
    ours = alignment([(features, turned, independent)])
    assert ours[0, 1].item() == pytest.approx(1, abs=1e-9)
    assert ours[:2, 2].abs().max() < 0.05


def test_too_small_batches_do_not_count() -> None:
    batch = _random(8, 4), _random(8, 4, seed=1)
    rest = _random(3, 4, seed=2), _random(3, 4, seed=3)
    assert torch.equal(alignment([batch, rest]), alignment([batch]))


def test_means_by_class_know_which_class_is_absent() -> None:
    labels = torch.tensor([0, 2, 2, 0, 2])
    means = mean_by_class(torch.tensor([[1.0], [2.0], [3.0], [5.0], [7.0]]), labels, 4)
    torch.testing.assert_close(means[:, 0], torch.tensor([3.0, torch.nan, 4.0, torch.nan]).double(), equal_nan=True)


def _scores(seed: int) -> Scores:
    labels = torch.arange(30) % 3
    return Scores(_random(30, 4, seed=seed).float() + 2 * torch.eye(4)[labels], labels)


def test_accuracy_by_class_counts() -> None:
    scores = _scores(1)
    for label in range(3):
        mine = [i for i in range(30) if scores.labels[i] == label]
        right = sum(int(scores.logits[i].argmax()) == label for i in mine)
        assert accuracy_by_class(scores, 4)[label].item() == pytest.approx(100 * right / len(mine))
    assert accuracy_by_class(scores, 4)[3].isnan()


def test_logits_differ_class_by_class() -> None:
    student, teacher = _scores(1), _scores(2)
    ours = logit_difference(student, teacher, 4)
    for label in range(3):
        mine = [i for i in range(30) if student.labels[i] == label]
        for other in range(4):
            s = sum(student.logits[i, other].item() for i in mine) / len(mine)
            t = sum(teacher.logits[i, other].item() for i in mine) / len(mine)
            assert ours[label, other].item() == pytest.approx(0 if other == label else abs(s - t), rel=1e-5)


def test_divergence_is_that_from_the_teacher() -> None:
    student, teacher = _scores(1), _scores(2)
    total = 0.0
    for s, t in zip(student.logits.tolist(), teacher.logits.tolist(), strict=True):
        s_sum, t_sum = sum(map(exp, s)), sum(map(exp, t))
        total += sum(exp(b) / t_sum * ((b - log(t_sum)) - (a - log(s_sum))) for a, b in zip(s, t, strict=True))
    assert divergence(student, teacher) == pytest.approx(total / 30, rel=1e-5)
    assert divergence(student, student) == pytest.approx(0, abs=1e-6)


def test_calibration_compares_confidence_with_accuracy_bin_by_bin() -> None:
    scores = _scores(3)
    bins: dict[int, list[tuple[float, bool]]] = {}
    for logits, label in zip(scores.logits.tolist(), scores.labels.tolist(), strict=True):
        confidence = max(map(exp, logits)) / sum(map(exp, logits))
        number = next(i for i in range(15) if i / 15 < confidence <= (i + 1) / 15)
        bins.setdefault(number, []).append((confidence, logits.index(max(logits)) == label))
    gaps = (abs(sum(c for c, _ in inside) - sum(right for _, right in inside)) for inside in bins.values())
    assert calibration_error(scores) == pytest.approx(100 * sum(gaps) / 30, rel=1e-5)
    sure = Scores(100 * torch.eye(4), torch.arange(4))
    assert calibration_error(sure) == 0

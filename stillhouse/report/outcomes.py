"""Measures of networks' predictions: by class, calibration, and agreement between pairs of runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import torch

from ..analysis.metrics import by_confidence, error_of_confidence, mean_by_class
from ..training.predictions import Predictions
from .groups import Entry, Group
from .records import RunRecord


@dataclass(frozen=True)
class Outcome:
    """Measures of a method in percent, averaged over seeds; None if its runs do not hold the data for it.

    Args:
        error: Expected calibration error.
        teacher: Held-out images on which it agrees with its teacher, after the last epoch.
        seeds: Test images on which two of its seeds agree.
        baseline: Test images on which it agrees with the baseline of the same seed.
        negative_flips: Test images that the baseline of the same seed gets right and it does not.
        positive_flips: The reverse.
    """

    error: float | None
    teacher: float | None
    seeds: float | None
    baseline: float | None
    negative_flips: float | None
    positive_flips: float | None


def outcome(entry: Entry, base: Entry | None) -> Outcome:
    """Measure the runs of a method, and compare them with a baseline's of the same seeds."""
    kept = [run.predictions for run in entry.runs if run.predictions is not None]
    beside = [] if base is None or base is entry else list(_pairs(base, entry))
    teacher = [run.rows[-1]["agreement"] for run in entry.runs if run.rows and "agreement" in run.rows[-1]]
    return Outcome(
        error=_mean(error_of_confidence(one.confidence, one.correct) for one in kept),
        teacher=_mean(teacher),
        seeds=_mean(agreement(one, other) for one, other in combinations(kept, 2) if _alike(one, other)),
        baseline=_mean(agreement(one, other) for one, other in beside),
        negative_flips=_mean(flips(one, other) for one, other in beside),
        positive_flips=_mean(flips(other, one) for one, other in beside),
    )


def reliability(entry: Entry) -> list[tuple[float, float, float]]:
    """Return confidence and accuracy in percent, and the number of images of all seeds, in each of 15 bins.

    Bins of confidence that hold no image are left out.
    """
    kept = [run.predictions for run in entry.runs if run.predictions is not None]
    if not kept:
        return []
    sums = torch.stack([by_confidence(one.confidence, one.correct) for one in kept]).sum(0)
    return [(100 * sure / count, 100 * right / count, count) for count, sure, right in sums.tolist() if count]


def agreement(one: Predictions, other: Predictions) -> float:
    """Return the percentage of images on which both agree."""
    return 100 * (one.guesses == other.guesses).double().mean().item()


def flips(one: Predictions, other: Predictions) -> float:
    """Return the percentage of images that the first gets right and the other does not."""
    return 100 * (one.correct & ~other.correct).double().mean().item()


def agreements(group: Group) -> list[list[float | None]]:
    """Return for each pair of methods the percentage of images on which equal seeds agree, (M, M).

    On the diagonal, different seeds of one method are compared.
    """
    return [
        [
            outcome(one, None).seeds
            if one is other
            else _mean(agreement(first, second) for first, second in _pairs(one, other))
            for other in group.entries
        ]
        for one in group.entries
    ]


def by_class(entry: Entry, classes: int) -> list[float | None]:
    """Return the accuracy in percent on the images of each class, averaged over seeds."""
    kept = [run.predictions for run in entry.runs if run.predictions is not None]
    if not kept:
        return [None] * classes
    means = [100 * mean_by_class(one.correct, one.labels.long(), classes) for one in kept]
    return [None if value != value else value for value in torch.stack(means).mean(0).tolist()]


def names_of_classes(runs: Sequence[RunRecord]) -> Sequence[str]:
    """Return the names of the classes if the predictions of some run can be counted by them."""
    kept = [run for run in runs if run.predictions is not None and len(run.predictions.labels)]
    fitting = [run.classes for run in kept if run.predictions and run.predictions.labels.max() < len(run.classes)]
    return fitting[0] if fitting else ()


def _pairs(one: Entry, other: Entry) -> Iterable[tuple[Predictions, Predictions]]:
    """Yield predictions for the same images by runs of the same seed."""
    for seed, run in one.by_seed.items():
        first, second = run.predictions, other.by_seed[seed].predictions if seed in other.by_seed else None
        if first is not None and second is not None and _alike(first, second):
            yield first, second


def _alike(one: Predictions, other: Predictions) -> bool:
    return torch.equal(one.labels, other.labels)


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return fmean(found) if found else None

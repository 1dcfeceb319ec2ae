"""Checks of a trained network before step 1: its classes, its outputs, and its accuracy on the data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch import Tensor

from ...data import Data
from ...forward import are_probabilities, wrap
from ...report.intervals import wilson
from ..evaluation import Scores
from .class_order import accuracy_in, best_order, plain, usual_orders

SIGMAS = 4.0  # standard deviations between two accuracies that differ; so many that no good network fails by chance
FEW = 200  # held-out images; with fewer an accuracy may be too uncertain to judge
_LEAST_GAIN = 5.0  # percent that another order or normalisation must gain to be mentioned
_SHOWN = 3  # classes in a sentence


def check_teacher(
    name: str, scores: Scores, data: Data, about: Mapping[str, object], trust: bool = False
) -> str | None:
    """Refuse a teacher that cannot teach these data.

    Args:
        name: Name of the teacher, for messages.
        scores: Its scores on the held-out images, in eval mode.
        about: Header of its file, which may hold the "classes" that it was trained on.
        trust: Note an accuracy that is too low instead of refusing it.

    Returns:
        The note.

    Raises:
        ValueError: If it predicts other classes, or is no better than chance on these.
    """
    who = f"the teacher {name}"
    check_classes(who, scores, data, about)
    check_finite(who, scores)
    if are_probabilities(scores.logits):
        softmax = "returns probabilities (each row sums to one), and methods read logits"
        raise ValueError(wrap(name.rpartition(":")[2], softmax, "(images).clamp(min=1e-9).log()"))
    problem = _problem(scores, data.classes)
    if problem is None:
        return None
    if trust:
        return f"{who} {problem}"
    raise ValueError(f"{who} {problem}; if you know that it is good, add --trust_teacher true")


def check_finite(who: str, scores: Scores) -> None:
    """Refuse outputs that are NaN or infinite."""
    if not scores.logits.isfinite().all():
        raise ValueError(f"the outputs of {who} contain NaN or infinity; load another checkpoint")


def check_classes(who: str, scores: Scores, data: Data, about: Mapping[str, object]) -> None:
    """Refuse a network for classes other than the data's; arguments as in `check_teacher`."""
    problem = other_classes(scores.logits.shape[1], data.classes, about.get("classes"))
    if problem:
        raise ValueError(
            f"{who} {problem}; give one that was trained on these classes, or train one: stillhouse train --data ... "
            f"--model ..."
        )


def other_classes(count: int, ours: Sequence[str], theirs: object) -> str | None:
    """Return a clause about a network's wrong classes; None if they are the data's.

    Args:
        count: Number of its outputs.
        ours: Classes of the data.
        theirs: Names of its classes, in any order, if they are known.
    """
    if count != len(ours):
        lacking = missing(list(map(str, theirs)), ours) if isinstance(theirs, list | tuple) else []
        more = f" and {len(lacking) - _SHOWN:,} more" if len(lacking) > _SHOWN else ""
        without = f", without {', '.join(lacking[:_SHOWN])}{more}" if lacking else ""
        return f"predicts {count:,} classes, but the data have {len(ours):,}{without}"
    if not isinstance(theirs, list | tuple):
        return None
    known = {plain(str(name)) for name in theirs}
    unknown = [name for name in ours if plain(name) not in known]
    return f"was not trained on these classes (it does not know {', '.join(unknown[:_SHOWN])})" if unknown else None


def missing(theirs: Sequence[str], ours: Sequence[str]) -> list[str]:
    """Return the classes of a network that the data lack, if the data have some of its classes and no others."""
    here, known = {plain(name) for name in ours}, {plain(name) for name in theirs}
    return [name for name in theirs if plain(name) not in here] if here <= known else []


def chance(labels: Tensor) -> float:
    """Return the accuracy, from 0 to 1, of always predicting the most frequent class: (N,)"""
    return float(labels.bincount().max()) / len(labels)


def least_gain(top1: float, count: int) -> float:
    """Return the smallest gain over an accuracy on so many images that is worth mentioning, in percent."""
    share = min(max(top1 / 100, 0.01), 0.99)
    return max(_LEAST_GAIN, 100 * SIGMAS * math.sqrt(share * (1 - share) / count))


def _problem(scores: Scores, classes: Sequence[str]) -> str | None:
    """Return a clause that says why the accuracy is too low for a teacher, with a remedy; None if it is not."""
    predicted, count = scores.logits.argmax(1), len(scores.labels)
    right, least = scores.top1 / 100, chance(scores.labels)
    order = order_problem(scores, classes, "--teacher_classes")
    if order:
        return f"is right on {scores.top1:.2f} % of {count:,} held-out images, and {order}"
    is_constant = len(set(predicted.tolist())) == 1
    passes = min(least + SIGMAS * math.sqrt(least * (1 - least) / count), (1 + least) / 2)
    if right > passes and not is_constant:
        return None
    low, high = (100 * end for end in wilson(right, count))
    if not is_constant and count < FEW and high > 100 * least:
        return (
            f"is right on {scores.top1:.2f} % of only {count:,} held-out images: that may be {low:.0f} to {high:.0f} % "
            f"of all (95 % interval), and always predicting the most frequent class would reach {100 * least:.2f} %: "
            f"too few images to tell; add held-out images"
        )
    return (
        f"is right on {scores.top1:.2f} % of {count:,} held-out images, no better than chance ({100 * least:.2f} % for "
        f"always predicting the most frequent class): its head is untrained, its weights were not given, or its images "
        f"are normalised differently. Give trained weights with --teacher_weights, its normalisation with "
        f"--teacher_mean and --teacher_std, or train it first: stillhouse train --data ... --model ... If it was "
        f"trained like this, that was too short: raise --epochs"
    )


def order_problem(scores: Scores, classes: Sequence[str], option: str | None) -> str | None:
    """Return a clause if a network would be right more often with its classes in another order; else None.

    The order is found on one half of the images and tested on the other, so that none is found by chance.

    Args:
        option: The option that sets the order, named as the remedy.
    """
    predicted, labels, count = scores.logits.argmax(1).cpu(), scores.labels.cpu(), len(classes)
    if count > scores.logits.shape[1] or count < 2 or len(labels) < 2 * count:
        return None
    margin = least_gain(scores.top1, len(labels))
    by_class = labels.argsort(stable=True)
    halves = by_class[::2], by_class[1::2]
    tried = 0.0
    for found, other in (halves, halves[::-1]):
        order, _ = best_order(predicted[found], labels[found], count)
        tried += accuracy_in(order, predicted[other], labels[other]) * len(other) / len(labels)
    if tried <= scores.top1 + margin:
        return None
    order, most = best_order(predicted, labels, count)
    for name, usual in usual_orders(classes).items():
        reached = accuracy_in(usual, predicted, labels)
        if reached >= tried - margin:
            shown = ", ".join(sorted(classes, key=lambda one: usual[list(classes).index(one)])[:_SHOWN])
            way = f"give {option} {name}" if option else "its classes are in that order"
            return f"with its classes in {name} order ({shown}, ...) it would be right on {reached:.2f} %: {way}"
    moved = [
        f"{name} as {classes[number]}" for name, number in zip(classes, order, strict=True) if name != classes[number]
    ]
    way = f"; give {option} FILE, one class name per line in the order of its outputs" if option else ""
    return (
        f"with its classes in another order ({', '.join(moved[:_SHOWN])}{', ...' if len(moved) > _SHOWN else ''}) it "
        f"would be right on {most:.2f} %: its class order is not the data's{way}"
    )

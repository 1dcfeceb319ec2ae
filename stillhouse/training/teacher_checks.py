"""Checks of a teacher before the first step."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ..data import Data
from .evaluation import Scores


def check_teacher(name: str, scores: Scores, data: Data, about: Mapping[str, object]) -> None:
    """Refuse a teacher that cannot teach these data.

    Args:
        name: What messages call it.
        scores: What it reached on the held-out images, in eval mode.
        about: What its file says of the data it was trained on: "classes", "mean" and "std", where it does.

    Raises:
        ValueError: If it knows other classes, or does not know these better than chance.
    """
    check_classes(f"the teacher {name}", scores, data, about)
    if not scores.logits.isfinite().all():
        raise ValueError(f"the teacher {name} answers with NaN or infinity: its weights are spoilt, give others")
    chance, images = 1 / len(data.classes), len(scores.labels)
    noise = 4 * math.sqrt(chance * (1 - chance) / images)  # four standard deviations
    least = 100 * min(chance + noise, (chance + 1) / 2)
    if scores.top1 <= least or len(set(scores.logits.argmax(1).tolist())) == 1:
        raise ValueError(
            f"the teacher {name} is right on {scores.top1:.2f} % of {images:,} held-out images, no better than chance "
            f"({100 * chance:.2f} %): {_why(scores, len(data.classes), least)}"
        )


def check_classes(who: str, scores: Scores, data: Data, about: Mapping[str, object]) -> None:
    """Refuse a network that was made for other classes than the data's; arguments as in `check_teacher`."""
    count, known = len(data.classes), scores.logits.shape[1]
    if known != count:
        raise ValueError(
            f"{who} tells {known} classes apart and {data.name} has {count}; give one that was trained on these "
            f"classes, or train one: stillhouse train --data ... --model ..."
        )
    ours, theirs = list(data.classes), about.get("classes")
    if not isinstance(theirs, list) or ours == theirs:
        return
    if sorted(ours) == sorted(theirs):
        raise ValueError(f"{who} was trained on the same classes in another order; train it on these data")
    different = ", ".join([name for name in ours if name not in theirs][:3])
    raise ValueError(f"{who} was not trained on these classes (it does not know {different}); train it on these data")


def normalisation_note(about: Mapping[str, object], data: Data) -> str | None:
    """A sentence if the teacher was trained on images normalised in another way."""
    for what, ours in (("mean", data.mean), ("std", data.std)):
        theirs = about.get(what)
        if isinstance(theirs, list) and any(abs(a - b) > 1e-3 for a, b in zip(theirs, ours, strict=True)):
            return f"the teacher was trained on images with {what} {theirs}, these have {list(ours)}"
    return None


def _why(scores: Scores, count: int, least: float) -> str:
    matched = _best_relabelling(scores.logits.argmax(1), scores.labels, count)
    if matched > max(30.0, min(2 * least, (least + 100) / 2)):
        return (
            f"with its classes in another order it would be right on {matched:.1f} %. Its class order is not the "
            f"data's: rename the class folders, or train it on these data"
        )
    return (
        "its head is untrained, its weights were not given, or its images are normalised differently. Give trained "
        "weights with --teacher_weights, or train it first: stillhouse train --data ... --model ... If it was trained "
        "so, that was too short: raise --epochs"
    )


def _best_relabelling(predicted: Tensor, labels: Tensor, count: int) -> float:
    """The accuracy in percent if each predicted class stood for the class it meets most."""
    confusion = torch.zeros(count, count, dtype=torch.int64)
    confusion.index_put_((predicted.cpu(), labels.cpu()), torch.ones(len(labels), dtype=torch.int64), accumulate=True)
    owners = confusion.argmax(1)
    if len(set(owners.tolist())) < count * 0.7:  # a constant or random answer is no relabelling
        return 0.0
    return 100 * float(confusion.amax(1).sum()) / len(labels)

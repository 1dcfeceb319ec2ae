"""The classes of images, batch by batch; an image that cannot be read is told apart and stops nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from .preprocessing import Preprocessing
from .student import Probabilities


@dataclass(frozen=True)
class Prediction:
    """A network's most likely classes for one image.

    Args:
        image: As it was named.
        top: Classes and probabilities, the most likely first; empty for an image that cannot be read.
        problem: Why it cannot be read.
    """

    image: str
    top: tuple[tuple[str, float], ...]
    problem: str = ""


def predict(
    images: Iterable[str],
    steps: Preprocessing,
    classes: Sequence[str],
    probabilities: Probabilities,
    count: int,
    batch_size: int,
) -> Iterator[Prediction]:
    """Yield a prediction for each image, in their order.

    Args:
        images: Paths.
        count: Number of classes to tell of each.

    Raises:
        ArithmeticError: If the network returns NaN.
    """
    paths = iter(images)
    while batch := list(islice(paths, batch_size)):
        yield from _batch(batch, steps, classes, probabilities, min(count, len(classes)))


def _batch(
    paths: Sequence[str], steps: Preprocessing, classes: Sequence[str], probabilities: Probabilities, count: int
) -> Iterator[Prediction]:
    read: dict[int, Tensor] = {}
    problems: dict[int, str] = {}
    for number, path in enumerate(paths):
        try:
            read[number] = steps.pixels(Path(path), path)
        except ValueError as error:
            problems[number] = str(error)
        except OSError as error:
            problems[number] = f"{path} cannot be opened ({error.strerror})"
    found = probabilities(torch.stack(list(read.values()))) if read else torch.empty(0, len(classes))
    if not found.isfinite().all():
        raise ArithmeticError("the network returns NaN or infinity; export or train it again")
    ordered = found.sort(stable=True, dim=1, descending=True)  # of equal ones the first, as argmax has it
    likely = dict(zip(read, zip(*(part[:, :count].tolist() for part in ordered), strict=True), strict=True))
    for number, path in enumerate(paths):
        if number in problems:
            yield Prediction(path, (), problems[number])
        else:
            values, labels = likely[number]
            yield Prediction(path, tuple((classes[label], value) for label, value in zip(labels, values, strict=True)))

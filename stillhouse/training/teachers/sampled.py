"""A quick look at a teacher: its accuracy on some held-out images, drawn at random, within a given time."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from ...data import Data
from ...modes import in_eval_mode
from ...report.intervals import of_share
from ...rng import stream
from ..evaluation import Scores, batch_size
from .checks import FEW, check_teacher
from .examine import better_normalisation
from .teacher import Teacher

_FIRST, _MOST = 32, 1024  # images: by which the time of one is known; at most
_OTHERS = 4  # normalisations that are tried, for which there must be time


@dataclass(frozen=True)
class Look:
    """The accuracy of a teacher on a sample.

    Args:
        problem: A sentence about an accuracy that is no better than chance, or that is better with other normalisation
            or another order of classes; empty if there is none, or too few images to tell.
        held_out: Number of held-out images that the sample was drawn from.
    """

    scores: Scores
    held_out: int
    problem: str = ""

    def __str__(self) -> str:
        count = len(self.scores.labels)
        low, high = of_share(int(self.scores.correct.sum()), count)
        part = f"{count:,} of {self.held_out:,} held-out images, drawn at random" if count < self.held_out else ""
        return (
            f"{self.scores.top1:.2f} % top-1 on {part or f'all {count:,} held-out images'} (95 % interval {low:.2f} to "
            f"{high:.2f})"
        )


@torch.no_grad()
def look_at(teacher: Teacher, data: Data, device: torch.device, seconds: float) -> Look:
    """Measure a teacher whose logits have a meaning for the data, in the precision that it is used in.

    Args:
        seconds: About how long it may take.

    Raises:
        ValueError: If it predicts other classes, or its outputs are no finite logits.
    """
    split, model = data.validation or data.test, teacher.net.model.to(device)
    order = torch.randperm(len(split), generator=stream(0, "look at a teacher"))[:_MOST]

    def measured(places: Tensor) -> tuple[Tensor, Tensor]:
        images = split.evaluated(places).to(device)
        with in_eval_mode(model), teacher.net.autocast(device):
            parts = torch.split(images, batch_size(split.batch_size))
            return images, torch.cat([model(part).float() for part in parts])

    measured(order[:1])  # what is done once takes long
    began = time.perf_counter()
    images, logits = measured(order[:_FIRST])
    took = time.perf_counter() - began
    many = min(len(order), int(len(images) * seconds / max(took, 1e-9)))
    if many > len(images):
        more, others = measured(order[len(images) : many])
        images, logits = torch.cat([images, more]), torch.cat([logits, others])
        took = time.perf_counter() - began
    labels = split.labels[order[: len(images)]].to(device)
    scores = Scores(logits, labels)
    problem = check_teacher(teacher.name, scores, data, teacher.about, trust=True) or ""
    if len(labels) < min(FEW, len(split)):
        problem = ""
    elif _OTHERS * took < 2 * seconds and (better := _better(teacher, data, device, (images, labels))):
        problem = f"the teacher {teacher.name} is right on {scores.top1:.2f} % of these; {better}"
    return Look(scores, len(split), problem)


def _better(teacher: Teacher, data: Data, device: torch.device, some: tuple[Tensor, Tensor]) -> str | None:
    split, (images, labels) = data.validation or data.test, some
    many = batch_size(split.batch_size)
    batches = list(zip(torch.split(images, many), torch.split(labels, many), strict=True))
    before, teacher.net.precision = teacher.net.precision, None
    try:
        return better_normalisation(teacher, data, split, device, "teacher_", (batches, labels.cpu()))
    finally:
        teacher.net.precision = before

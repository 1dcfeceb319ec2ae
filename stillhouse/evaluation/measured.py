"""Networks beside each other on the held-out images of one data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from ..data import Data
from ..forward import are_probabilities
from ..training.evaluation import Scores, evaluate
from ..training.predictions import Predictions
from ..training.teachers.checks import check_finite
from ..training.teachers.teacher import Teacher
from .calibration import Calibration, calibrate
from .flips import Flips, flips

ROLES = ("student", "teacher", "baseline", "against")


@dataclass(frozen=True)
class Measured:
    """A network and its outputs for all held-out images.

    Args:
        role: One of `ROLES`; "student" is the network that the report is about.
        network: The network, which takes the data's images.
        scores: Its logits on the CPU; for a network that ends in a softmax the logarithms of its probabilities.
    """

    role: str
    network: Teacher
    scores: Scores

    @cached_property
    def predictions(self) -> Predictions:
        """Its first guesses."""
        return Predictions.of(self.scores)

    @cached_property
    def calibration(self) -> Calibration | None:
        """Its calibration; None for fewer than two images."""
        return calibrate(self.scores)

    @property
    def right(self) -> int:
        """The number of images that it gets right."""
        return int(self.predictions.correct.sum())


def measured(role: str, network: Teacher, data: Data, device: torch.device, known: Scores | None = None) -> Measured:
    """Run a network on all held-out images.

    Args:
        known: Its scores, if they were measured already.

    Raises:
        ValueError: If its outputs contain NaN or infinity.
    """
    scores = known or evaluate(network.net.model.to(device), data.test, device)
    check_finite(f"the network {network.name}", scores)
    logits = scores.logits.cpu()
    if are_probabilities(logits):
        logits = logits.clamp(min=torch.finfo(logits.dtype).tiny).log()
    return Measured(role, network, replace(scores, logits=logits, labels=scores.labels.cpu()))


def by_role(networks: Sequence[Measured]) -> dict[str, Predictions]:
    """Return the guesses of teacher, student and baseline, in the order in which pictures show them."""
    found = {one.role: one.predictions for one in networks}
    return {role: found[role] for role in ("teacher", "student", "baseline") if role in found}


def changes(networks: Sequence[Measured]) -> Mapping[str, Flips]:
    """Return the flips from each other network to the student, by role."""
    student = networks[0].predictions.correct
    return {one.role: flips(student, one.predictions.correct) for one in networks[1:]}

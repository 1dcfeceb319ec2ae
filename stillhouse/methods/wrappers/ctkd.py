"""Curriculum temperature: the temperature is learned against the student, with growing strength."""

from collections.abc import Mapping
from math import cos, pi
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...batch import DataInfo
from ...method import LogitMethod, TemperedMethod
from ...ranges import Count, NonNegative, Temperature, Width
from ...taps import Outputs
from .wrapper import Wrapper


class CTKD(Wrapper, LogitMethod):
    """Curriculum Temperature for Knowledge Distillation (Li et al., AAAI 2023, arXiv:2211.16231).

    temperature = start + span sigmoid(x) replaces the base method's. The student descends the loss; x ascends it, by a
    gradient that is reversed and scaled by (1 - cos(pi min(e / epochs, 1))) / 2 in the e-th epoch.

    "global" has one x for all samples; in "instance" two linear layers compute each sample's x from both networks'
    probabilities. The authors' code has the first only, so the width of the second is not from them; both begin with
    x = 1. Put standardisation around it: `Standardized(CTKD(KD()))`.

    Args:
        base: The method whose temperature is learned.
        scope: "global": one temperature for all samples; "instance": one for each.
        start: The lowest temperature.
        span: Difference between the highest and the lowest temperature.
        epochs: Epoch from which the reversed gradient has its full strength.
        width: Of the hidden layer between probabilities and x, if the scope is "instance".
    """

    observations_caption = "Mean temperature of the last step."
    base: TemperedMethod
    strength: Tensor  # () of the reversed gradient
    latest: Tensor  # () mean temperature of the last step

    def __init__(
        self,
        base: TemperedMethod,
        scope: Literal["global", "instance"] = "global",
        start: Temperature = 1.0,
        span: NonNegative = 20.0,
        epochs: Count = 10,
        width: Width = 128,
    ):
        if not isinstance(base, TemperedMethod):
            raise ValueError(
                f"the method in CTKD must have a temperature, like KD and DKD, but {type(base).__name__} has none; "
                f"put wrappers around CTKD, as in Standardized(CTKD(KD()))"
            )
        super().__init__(base)
        base.temperature = 1.0
        self.scope, self.start, self.span, self.epochs, self.width = scope, start, span, epochs, width
        self.x = nn.Parameter(torch.ones(1)) if scope == "global" else None
        self.register_buffer("strength", torch.tensor(self.strength_in(1)))
        self.register_buffer("latest", torch.zeros(()))

    def strength_in(self, epoch: int) -> float:
        """Return the strength in an epoch, counted from 1."""
        return (1 - cos(pi * min(epoch / self.epochs, 1.0))) / 2

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        super().build(student, teacher, data)
        if self.scope == "instance":
            last = nn.Linear(self.width, 1)
            nn.init.zeros_(last.weight)
            nn.init.ones_(last.bias)
            self.layers = nn.Sequential(nn.Linear(2 * data.num_classes, self.width), nn.ReLU(), last)

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        temperature = self.temperature(student, teacher)
        self.latest.copy_(temperature.detach().mean())
        return self.base.loss(student / temperature, teacher / temperature, labels) * temperature.square().flatten()

    def temperature(self, student: Tensor, teacher: Tensor) -> Tensor:
        """(N, C), (N, C) -> (1,) or (N, 1), with a reversed gradient"""
        if self.x is not None:
            x: Tensor = self.x
        else:
            x = self.layers(torch.cat([F.softmax(logits.detach(), dim=1) for logits in (student, teacher)], dim=1))
        reversed_x = x.detach() - self.strength * (x - x.detach())
        return self.start + self.span * reversed_x.sigmoid()

    def begin_epoch(self, epoch: int) -> None:
        super().begin_epoch(epoch)
        self.strength.fill_(self.strength_in(epoch + 1))

    def observations(self) -> Mapping[str, Tensor]:
        return {**super().observations(), "temperature": self.latest}

"""Factor transfer: learn the teacher's features in the form that a previously trained autoencoder gives them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..anatomy import Anatomy
from ..batch import Batch, DataInfo
from ..method import Group, Places, Spot, SpotMethod, Warmup, needs_maps, pair
from ..ranges import Positive, Whole
from ..taps import Outputs, Tapped
from .layers.feature_maps import mean_square
from .layers.pooling import pool_to_smaller


class FT(SpotMethod):
    """Paraphrasing Complex Network: Compression via Factor Transfer (Kim et al., NeurIPS 2018, arXiv:1802.04977).

    The mean absolute difference of factors of unit length. The teacher's come from the encoder of a paraphraser, which
    is trained before distillation to reconstruct the teacher's features. The student's come from a translator, which is
    trained with the student. The CIFAR-100 benchmark (Tian et al., ICLR 2020) uses `FT(200, compare="attention")`; the
    authors' code has no BatchNorm in the translator. Where maps differ in size, the larger is pooled to the smaller.

    Args:
        rate: Channels of a factor per channel of the teacher, the paper's k.
        compare: "factors", or as in the benchmark their "attention", the mean over channels of their squares.
        translator_norm: Give the translator BatchNorms.
        warmup_epochs: Epochs of training the paraphraser; these and its learning rate are the benchmark's.
    """

    def __init__(
        self,
        weight: float = 500.0,
        rate: Positive = 0.5,
        compare: Literal["factors", "attention"] = "factors",
        translator_norm: bool = True,
        warmup_epochs: Whole = 30,
        warmup_lr: Positive = 0.01,
        at: Places = "last_stage",
    ):
        super().__init__(weight)
        self.rate, self.compare, self.translator_norm = rate, compare, translator_norm
        self.warmup_epochs, self.warmup_lr = warmup_epochs, warmup_lr
        self.at = at
        self.encoders, self.decoders = nn.ModuleList(), nn.ModuleList()  # of the paraphrasers
        self.translators = nn.ModuleList()

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
        return pair(self.at, student, teacher)

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        for spot in self.spots:
            s, t = student[spot.student], teacher[spot.teacher]
            needs_maps("FT", student=s, teacher=t)
            channels, factors = t.shape[1], max(1, int(t.shape[1] * self.rate))
            self.encoders.append(_layers(nn.Conv2d, [channels, channels, factors, factors], norm=False))
            self.decoders.append(_layers(nn.ConvTranspose2d, [factors, factors, channels, channels], norm=False))
            self.translators.append(
                _layers(nn.Conv2d, [s.shape[1], s.shape[1], factors, factors], self.translator_norm)
            )

    def warmups(self, student: Tapped, teacher: Tapped) -> Sequence[Warmup]:
        return [Warmup(self.warmup_epochs, [self.encoders, self.decoders], self.reconstruction, self.warmup_lr)]

    def groups(self) -> Sequence[Group]:
        return [Group(list(self.translators.parameters()))]

    def reconstruction(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        """Outputs at the spots -> (N,), the loss of the warm-up, which trains the paraphrasers"""
        loss = student.logits.new_zeros(())
        for encode, decode, spot in zip(self.encoders, self.decoders, self.spots, strict=True):
            features = teacher[spot.teacher]
            loss = loss + (decode(encode(features)) - features).square().mean((1, 2, 3))
        return loss

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        with torch.no_grad():
            target = self.at_spot(self.encoders, spot)(teacher[spot.teacher])
        return self.loss(self.at_spot(self.translators, spot)(student[spot.student]), target)

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Factors (N, C, Hs, Ws), (N, C, Ht, Wt) -> (N,)"""
        s, t = pool_to_smaller(student, teacher)
        if self.compare == "attention":
            s, t = mean_square(s), mean_square(t)
        return (F.normalize(s.flatten(1)) - F.normalize(t.flatten(1))).abs().mean(1)


def _layers(kind: type[nn.Conv2d | nn.ConvTranspose2d], widths: Sequence[int], norm: bool) -> nn.Sequential:
    """(N, first width, H, W) -> (N, last width, H, W)"""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers.append(kind(inputs, outputs, 3, padding=1))
        layers += [nn.BatchNorm2d(outputs)] if norm else []
        layers.append(nn.LeakyReLU(0.1))
    return nn.Sequential(*layers)

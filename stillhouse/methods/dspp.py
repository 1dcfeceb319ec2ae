"""Decoupled spatial pyramid pooling: match averages of image regions, strong and weak ones with different weights."""

from collections.abc import Iterator, Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..batch import Batch, DataInfo
from ..method import FeatureMethod, Places, Spot, needs_maps
from ..ranges import Count, NonNegative, Size
from ..taps import Outputs
from .layers.affinity import mean_over
from .layers.connectors import Regressor
from .layers.running_means import Means


class DSPP(FeatureMethod):
    """Feature Decoupled Knowledge Distillation via Spatial Pyramid Pooling (Gao & Gao, ACCV 2022, LNCS 13846).

    Maps are averaged over 1, 4, ..., levels^2 regions; s and t are all these averages in all channels, scaled to unit
    length. With I the strongest entries of t, the loss is

        strong_weight * ||(s - t)[I]|| + weak_weight * ||(s - t)[not I]||

    A 1 x 1 convolution, BatchNorm and ReLU give the student the teacher's channels; map sizes need not agree.
    Two settings are published, both for the third stage only: the code's defaults, which are the defaults here, and
    those in its README: `DSPP(levels=3, divisor=100, strong_weight=1, weak_weight=10)` with KD at weight 1.

    Args:
        levels: The finest regions are 1 / levels of a side.
        divisor: I are the largest 1 / divisor of the entries (the code calls this number top-k).
        strong_weight: Of the distance between the teacher's strongest entries and the student's.
        weak_weight: Of the distance between all others, from which students learn more according to the paper.
        decoupled: If false, the loss is ||s - t||. The code intended this for all stages but the last. For that, use
            two terms: one with decoupled=False at the earlier stages, one with True at the last.
        pooling: "padded" is the code's: regions of ceil(H / level) px on a zero-padded map, and the zeros count.
            "adaptive" averages the map only; regions overlap where the level does not divide H. Both take maps of any
            size, whereas the code fails with four levels on 2, 3 or 5 px.
    """

    observations_caption = "Terms of the loss: differences at the teacher's strongest averages, and at all others."

    def __init__(
        self,
        weight: float = 1.0,
        levels: Size = 4,
        divisor: Count = 5,
        strong_weight: NonNegative = 0.9,
        weak_weight: NonNegative = 2.5,
        decoupled: bool = True,
        pooling: Literal["padded", "adaptive"] = "padded",
        at: Places = "stage3",
    ):
        super().__init__(weight, at)
        self.levels, self.divisor = levels, divisor
        self.strong_weight, self.weak_weight = strong_weight, weak_weight
        self.decoupled = decoupled
        self.pooling = pooling

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        super().build(student, teacher, data)
        names = ["strong", "weak"] if self.decoupled else ["all"]
        self.means = nn.ModuleList(Means(names) for _ in self.spots)

    def connector(self, student: Tensor, teacher: Tensor) -> nn.Module:
        needs_maps("DSPP", student=student, teacher=teacher)
        return Regressor(student.shape, (*teacher.shape[:2], *student.shape[2:]))

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        parts = self.parts(*self.features_at(spot, student, teacher))
        dict(self.recorded())[spot].record({name: mean_over(part, batch.active) for name, part in parts.items()})
        return torch.stack(list(parts.values())).sum(0)

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """(N, C, Hs, Ws), (N, C, Ht, Wt) -> (N,)"""
        return torch.stack(list(self.parts(student, teacher).values())).sum(0)

    def parts(self, student: Tensor, teacher: Tensor) -> dict[str, Tensor]:
        """(N, C, Hs, Ws), (N, C, Ht, Wt) -> the terms of the loss by name, (N,) each"""
        target = F.normalize(self.pyramid(teacher))
        difference = F.normalize(self.pyramid(student)) - target
        if not self.decoupled:
            return {"all": _length(difference)}
        strongest = target.topk(target.shape[1] // self.divisor, dim=1, sorted=False).indices
        strong, weak = difference.gather(1, strongest), difference.scatter(1, strongest, 0.0)
        return {"strong": self.strong_weight * _length(strong), "weak": self.weak_weight * _length(weak)}

    def begin_epoch(self, epoch: int) -> None:
        for _, means in self.recorded():
            means.begin_epoch()

    def observations(self) -> Mapping[str, Tensor]:
        read = {"_".join(dict.fromkeys(spot)): means.read() for spot, means in self.recorded()}
        return {f"{place}/{name}": mean for place, means in read.items() for name, mean in means.items()}

    def recorded(self) -> Iterator[tuple[Spot, Means]]:
        for spot, means in zip(self.spots, self.means, strict=True):
            assert isinstance(means, Means)
            yield spot, means

    def pyramid(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, (1 + 4 + ... + levels^2) * C)"""
        height, width = features.shape[2:]
        regions = []
        for level in range(1, self.levels + 1):
            down, across = self.shares(height, level, features), self.shares(width, level, features)
            products = down[:, None, :, None] * across[:, None]  # Kronecker's, which torch.kron fails at for thin maps
            regions.append(products.reshape(level**2, height * width))
        return (torch.cat(regions) @ features.flatten(2).transpose(1, 2)).flatten(1)

    def shares(self, side: int, level: int, like: Tensor) -> Tensor:
        """Return (level, side), the weight of each position along one side in each region's average."""
        positions = torch.eye(side, dtype=like.dtype, device=like.device)
        if self.pooling == "adaptive":
            return F.adaptive_avg_pool1d(positions, level).T
        size = -(-side // level)
        zeros = size * level - side
        return F.avg_pool1d(F.pad(positions, (zeros - zeros // 2, zeros // 2)), size).T


def _length(vectors: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(vectors, dim=1)  # its gradient at 0 is 0
    return length

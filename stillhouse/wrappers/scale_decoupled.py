"""Scale decoupling: any logit method, on the logits of image regions as well as of the whole image."""

import copy
from collections.abc import Mapping, Sequence
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..anatomy import Anatomy
from ..layers.means import Means
from ..method import Group, LogitMethod, Spot, SpotMethod
from ..outputs import Batch, DataInfo, Outputs
from ..taps import probe


class ScaleDecoupled(SpotMethod):
    """Scale Decoupled Distillation (Wei et al., CVPR 2024, arXiv:2403.13512).

    At scale k the map in front of global pooling is averaged over k x k regions, and the network's own classifier
    turns each average into logits: at scale 1 into those of the whole image. With the base method's loss D,

        sum over regions r of  weight_r D(student_r, teacher_r)        weight_r = 2 if r is complementary, else 1

    A region is complementary if the teacher sees something else there than in the whole image, else consistent.
    The defaults are `paper()`; the published numbers were made with `reference()`. The paper lets the loss grow over
    30 epochs, the code over 20, KD's not at all.

    Args:
        base: The method that compares logits.
        scales: 1 and finer ones. The paper has (1, 2) for similar networks, (1, 2, 4) for different ones.
        complementary: Weight of complementary regions.
        compare: "classes": the teacher predicts another class (paper). "correctness": it is right in one of the two
            and wrong in the other (code).
        pooling: "direct": each scale is pooled from the map. "nested": each is pooled from the finest one (code),
            which differs where that does not divide the map, as 4 does not divide 7.
        reduction: "sum" over regions (paper), their "mean" (code) or "means": of each scale, added up (the paper's
            equation 6).

    Raises:
        ValueError: When built for a network that does more between map and logits than average and one linear layer.
    """

    regions: Tensor  # (R, 1), how many share a mean with each of the R regions

    def __init__(
        self,
        base: LogitMethod,
        scales: Sequence[int] = (1, 2, 4),
        complementary: float = 2.0,
        compare: Literal["classes", "correctness"] = "classes",
        pooling: Literal["direct", "nested"] = "direct",
        reduction: Literal["sum", "mean", "means"] = "sum",
    ):
        super().__init__(base.weight)
        if list(scales[:1]) != [1]:
            raise ValueError(f"scales begin with 1, the image that regions are compared with, not {list(scales)}")
        self.base = base
        self.scales = scales
        self.complementary = complementary
        self.compare = compare
        self.pooling = pooling
        count = sum(k * k for k in scales)
        regions = [{"sum": 1, "mean": count, "means": k * k}[reduction] for k in scales for _ in range(k * k)]
        self.register_buffer("regions", torch.tensor(regions, dtype=torch.float32)[:, None], persistent=False)
        self.means = Means(["consistent", "complementary"])

    @classmethod
    def paper(cls, base: LogitMethod, scales: Sequence[int] = (1, 2, 4)) -> Self:
        return cls(base, scales)

    @classmethod
    def reference(cls, base: LogitMethod, scales: Sequence[int] = (1, 2, 4)) -> Self:
        return cls(base, scales, compare="correctness", pooling="nested", reduction="mean")

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> Sequence[Spot]:
        self.base.spots = self.base.choose_spots(student, teacher)
        return [Spot("map", "map")]

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        for who, outputs in (("student", student), ("teacher", teacher)):
            _needs_linear_regions(who, outputs, data.image_size)
        self.base.build(student, teacher, data)

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        """Maps in front of global pooling -> (N,)"""
        s = self.regional_logits(student)
        with torch.no_grad():
            t = self.regional_logits(teacher)
        labels = batch.labels.expand(len(t), -1)
        losses = self.base.loss(s.flatten(0, 1), t.flatten(0, 1), labels.flatten()).view_as(labels)
        complementary = self.is_complementary(t, labels).to(losses)
        self.means.record({"consistent": (1 - complementary).mean(), "complementary": complementary.mean()}, batch)
        weights = 1 + (self.complementary - 1) * complementary
        return (weights * losses / self.regions).sum(0)

    def regional_logits(self, outputs: Outputs) -> Tensor:
        """(R, N, C), the whole image first"""
        features = outputs["map"]
        if self.pooling == "nested":
            features = F.adaptive_avg_pool2d(features, max(self.scales))
        regions = torch.cat([F.adaptive_avg_pool2d(features, k).flatten(2) for k in self.scales], dim=2)
        logits: Tensor = outputs.net.head(regions.permute(2, 0, 1))
        return logits

    def is_complementary(self, teacher: Tensor, labels: Tensor) -> Tensor:
        """(R, N, C), (R, N) -> (R, N)"""
        seen = teacher.argmax(2)
        if self.compare == "correctness":
            seen = seen == labels
        return seen != seen[0]

    def groups(self) -> Sequence[Group]:
        return self.base.groups()

    def after_step(self, batch: Batch) -> None:
        self.base.after_step(batch)

    def observations(self) -> Mapping[str, Tensor]:
        """Shares of the regions, the whole image counted as one, and what the base method observes."""
        return {**self.means.read(), **self.base.observations()}


@torch.no_grad()
def _needs_linear_regions(who: str, outputs: Outputs, image_size: int) -> None:
    """Refuses a network whose logits are not a linear layer's of the map's average, whatever its weights will be."""
    net, name = outputs.net, type(outputs.net.model).__name__
    if not isinstance(net.head, nn.Linear):
        raise ValueError(
            f"the {who} {name} has a {type(net.head).__name__} as head; name its last linear layer instead"
        )
    twin = copy.deepcopy(net)
    twin.tap(["embedding"])
    for vector in [*twin.parameters(), *twin.buffers()]:
        if vector.is_floating_point() and vector.ndim == 1:
            vector.mul_(1.1).add_(0.1)  # fresh norms and scales behind the pool could pass for nothing
    said = probe(twin, image_size)
    averaged = said["map"].ndim == 4 and _agree(said["map"].mean((2, 3)), said["embedding"])
    if not averaged or not _agree(twin.head(said["embedding"]), said.logits):
        raise ValueError(
            f"between its map, {net.anatomy.map}, and its logits the {who} {name} does more than average and one "
            f"linear layer, so the logits of regions would not add up to the image's; choose another network"
        )


def _agree(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one - other).abs().max() <= 1e-5 * other.abs().max().clamp(min=1))

"""Scale decoupling: any logit method, on the logits of image regions as well as of the whole image."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from ...anatomy import Anatomy
from ...batch import Batch, DataInfo
from ...method import LogitMethod, Spot, SpotMethod
from ...ranges import Filled, NonNegative, Size
from ...taps import Outputs
from ..layers.affinity import mean_over
from ..layers.head_checks import needs_pooled_linear_head
from ..layers.running_means import Means
from .wrapper import Wrapper


class ScaleDecoupled(Wrapper, SpotMethod):
    """Scale Decoupled Distillation (Wei et al., CVPR 2024, arXiv:2403.13512).

    At scale k the map before global pooling is averaged over k x k regions, and the network's own classifier turns
    each average into logits; at scale 1 these are the logits of the whole image. With the base method's loss D,

        sum over regions r of  weight_r D(student_r, teacher_r)        weight_r = 2 if r is complementary, else 1

    A region is complementary if the teacher's prediction for it differs from that for the whole image, else consistent.
    The defaults are `paper()`; the published numbers were made with `reference()`. The loss's weight rises over 30
    epochs in the paper and over 20 in the code, but not with KD.

    Args:
        base: The method that compares logits.
        scales: 1 and finer ones. The paper has (1, 2) for similar networks, (1, 2, 4) for different ones.
        complementary: Weight of complementary regions.
        compare: "classes": the teacher predicts another class (paper). "correctness": it is right in one of the two
            and wrong in the other (code).
        pooling: "direct": each scale is pooled from the map. "nested" (code): from the map's averages over 4 x 4
            regions, or as many as the finest scale has; this differs where they do not divide the map, as with 7 x 7.
        reduction: "sum" over regions (paper), their "mean" (code), or "means": the sum of each scale's mean (the
            paper's equation 6).

    Raises:
        ValueError: In `build`, if a network has more than an average and one linear layer between map and logits.
    """

    observations_caption = "Shares of the regions, with the whole image counted as one region."
    per_image_caption = "Share of an image's regions for which the teacher predicts another class than for the whole."
    base: LogitMethod
    regions: Tensor  # (R, 1), number of regions in the same mean as each of the R regions

    def __init__(
        self,
        base: LogitMethod,
        scales: Annotated[Sequence[Size], Filled()] = (1, 2, 4),
        complementary: NonNegative = 2.0,
        compare: Literal["classes", "correctness"] = "classes",
        pooling: Literal["direct", "nested"] = "direct",
        reduction: Literal["sum", "mean", "means"] = "sum",
    ):
        super().__init__(base)
        if list(scales[:1]) != [1]:
            raise ValueError(f"scales must begin with 1, the whole image, to compare regions with, not {list(scales)}")
        self.scales = scales
        self.complementary = complementary
        self.compare = compare
        self.pooling = pooling
        count = sum(k * k for k in scales)
        regions = [{"sum": 1, "mean": count, "means": k * k}[reduction] for k in scales for _ in range(k * k)]
        self.register_buffer("regions", torch.tensor(regions, dtype=torch.float32)[:, None], persistent=False)
        self.means = Means(["regions/consistent", "regions/complementary"])

    @property
    def needs_teacher(self) -> bool:
        return True  # regions depend on it, even if the base method uses labels only

    @classmethod
    def paper(cls, base: LogitMethod, scales: Sequence[int] = (1, 2, 4)) -> Self:
        return cls(base, scales)

    @classmethod
    def reference(cls, base: LogitMethod, scales: Sequence[int] = (1, 2, 4)) -> Self:
        return cls(base, scales, compare="correctness", pooling="nested", reduction="mean")

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> Sequence[Spot]:
        super().choose_spots(student, teacher)
        return [Spot("map", "map")]

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        for who, outputs in (("student", student), ("teacher", teacher)):
            needs_pooled_linear_head(who, outputs, data.image_size)
        super().build(student, teacher, data)

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        """Maps before global pooling -> (N,)"""
        s = self.regional_logits(student)
        with torch.no_grad():
            t = self.regional_logits(teacher)
        labels = batch.labels.expand(len(t), -1)
        losses = self.base.loss(s.flatten(0, 1), t.flatten(0, 1), labels.flatten()).view_as(labels)
        complementary = self.is_complementary(t, labels).to(losses)
        share = mean_over(complementary.mean(0), batch.active)
        self.means.record({"regions/consistent": 1 - share, "regions/complementary": share})
        weights = 1 + (self.complementary - 1) * complementary
        return (weights * losses / self.regions).sum(0)

    def regional_logits(self, outputs: Outputs) -> Tensor:
        """Outputs with a map -> (R, N, C), the whole image first"""
        features = outputs["map"]
        if self.pooling == "nested":
            features = F.adaptive_avg_pool2d(features, max(4, *self.scales))
        regions = torch.cat([F.adaptive_avg_pool2d(features, k).flatten(2) for k in self.scales], dim=2)
        like = next(outputs.net.head.parameters())
        logits: Tensor = outputs.net.head(regions.permute(2, 0, 1).to(like.dtype))
        return logits.to(regions.dtype)

    def is_complementary(self, teacher: Tensor, labels: Tensor) -> Tensor:
        """(R, N, C), (R, N) -> (R, N)"""
        seen = teacher.argmax(2)
        if self.compare == "correctness":
            seen = seen == labels
        return seen != seen[0]

    def begin_epoch(self, epoch: int) -> None:
        super().begin_epoch(epoch)
        self.means.begin_epoch()

    def observations(self) -> Mapping[str, Tensor]:
        return {**super().observations(), **self.means.read()}

    def per_image(self, student: Outputs, teacher: Outputs, batch: Batch) -> Mapping[str, Tensor]:
        t = self.regional_logits(teacher)
        complementary = self.is_complementary(t, batch.labels.expand(len(t), -1))
        return {**super().per_image(student, teacher, batch), "regions/complementary": complementary.to(t).mean(0)}

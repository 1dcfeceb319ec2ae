"""Semantic calibration: every student stage learns from every teacher stage, weighted by attention."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..anatomy import Anatomy
from ..batch import Batch, DataInfo
from ..method import Method, Places, Spot, needs_maps, pair
from ..ranges import Temperature
from ..taps import Outputs
from .layers.affinity import gram
from .layers.connectors import three_convolutions
from .layers.pooling import pool_to_smaller
from .layers.running_means import Means


class SemCKD(Method):
    """Cross-Layer Distillation with Semantic Calibration (Chen et al., AAAI 2021, arXiv:2012.03236).

    The mean over student stages i of the sum over all teacher stages j of

        attention_ij * mean (regressor_ij(student_i) - teacher_j)^2         attention_ij = softmax_j <query_i, key_j>

    per sample. A small network computes a query from the sample's similarities to the batch in student_i, and likewise
    a key from those in teacher_j, both of unit length. Of two maps the larger is first pooled to the smaller's size.

    These networks take as many similarities as a batch has images, `DataInfo.batch_size`. In a smaller batch, such as
    the last of an epoch, the similarities to the missing images are 0; the code leaves such batches out.
    The paper's weight for ImageNet is 50.

    Args:
        temperature: Divides <query, key>; found only in DSPP's copy of the code ("soft").
        at: Even with a list of pairs, every student place is compared with every teacher place.
    """

    observations_caption = "Attention of each student stage to each teacher stage."

    def __init__(self, weight: float = 400.0, temperature: Temperature = 1.0, at: Places = "stages"):
        super().__init__(weight)
        self.temperature = temperature
        self.at = at
        self.keys = nn.ModuleList()
        self.queries = nn.ModuleList()
        self.regressors = nn.ModuleList()

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> Sequence[Spot]:
        pairs = pair(self.at, student, teacher)
        self.student_places, self.teacher_places = (list(dict.fromkeys(places)) for places in zip(*pairs, strict=True))
        if isinstance(self.at, str) and self.at in (
            "stages",
            "preacts",
        ):  # pairs would leave out a deeper network's stages
            role = self.at.removesuffix("s")
            self.student_places = [place for place in student.roles if place.startswith(role)]
            self.teacher_places = [place for place in teacher.roles if place.startswith(role)]
        return [Spot(s, t) for s in self.student_places for t in self.teacher_places]

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        if data.batch_size < 4:
            raise ValueError(
                f"--batch_size must be 4 or more for SemCKD, whose layers have a quarter of it, not {data.batch_size}"
            )
        self.batch_size = data.batch_size
        self.keys.extend(_embedding(data.batch_size) for _ in self.teacher_places)
        self.queries.extend(_embedding(data.batch_size) for _ in self.student_places)
        for s, t in self.spots:
            needs_maps("SemCKD", student=student[s], teacher=teacher[t])
            channels = teacher[t].shape[1]
            self.regressors.append(nn.Sequential(*three_convolutions(student[s].shape[1], 2 * channels, channels)))
        shape = len(self.student_places), len(self.teacher_places)
        self.means = Means([f"attention_s{i + 1}/t{j + 1}" for i in range(shape[0]) for j in range(shape[1])])

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        """Outputs at the spots -> (N,)"""
        attention = self.attention(student, teacher).flatten(1)  # one column for each spot
        self.means.record(dict(zip(self.means.names, attention.mean(0), strict=True)))
        loss = torch.zeros_like(attention[:, 0])
        for regressor, share, (s, t) in zip(self.regressors, attention.unbind(1), self.spots, strict=True):
            features, target = pool_to_smaller(student[s], teacher[t])
            loss = loss + share * (regressor(features) - target).square().flatten(1).mean(1)
        return loss / len(self.student_places)

    def attention(self, student: Outputs, teacher: Outputs) -> Tensor:
        """Outputs -> (N, student stages, teacher stages), summing to 1 over the latter"""
        queries = self.embed(self.queries, [student[place] for place in self.student_places])
        keys = self.embed(self.keys, [teacher[place] for place in self.teacher_places])
        return F.softmax(queries @ keys.transpose(1, 2) / self.temperature, dim=2)

    def embed(self, embeddings: nn.ModuleList, stages: Sequence[Tensor]) -> Tensor:
        """Maps (N, C, H, W) -> (N, stages, D), unit length"""
        missing = self.batch_size - len(stages[0])
        if missing < 0:
            raise ValueError(
                f"a batch must have at most the {self.batch_size} images that SemCKD was built for, not "
                f"{len(stages[0])}"
            )
        vectors = [embed(F.pad(gram(s), (0, missing))) for embed, s in zip(embeddings, stages, strict=True)]
        return F.normalize(torch.stack(vectors, dim=1), dim=2)

    def begin_epoch(self, epoch: int) -> None:
        self.means.begin_epoch()

    def observations(self) -> Mapping[str, Tensor]:
        return self.means.read()


def _embedding(batch_size: int) -> nn.Module:
    width = batch_size // 4
    return nn.Sequential(nn.Linear(batch_size, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))

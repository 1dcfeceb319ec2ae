"""Measurements of a trained student, its teacher and its methods on held-out images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..batch import Batch
from ..data import Data
from ..distillation import Distillation
from ..modes import in_eval_mode
from ..rng import stream
from ..taps import Tapped
from ..training.evaluation import Scores
from .metrics import alignment

_BATCH = 128
_SHOWN = 8  # images with the lowest values, and with the highest
_SIDE = 96  # px, largest size at which images are shown
_CLASSES = 10  # at most, for the plot of embeddings


@dataclass(frozen=True)
class Judged:
    """One number of a method for each image."""

    values: Tensor  # (N,)
    ends: Tensor  # (M,) the lowest and the highest, ascending
    images: Tensor  # (M, H, W, 3) uint8, the images with these values


@dataclass(frozen=True)
class Aligned:
    """Linear CKA of features at places of both networks."""

    student: list[str]
    teacher: list[str]
    values: Tensor  # (student places, teacher places)
    images: int  # that were compared


@dataclass(frozen=True)
class Embedded:
    """Embeddings of both networks, for images of some classes."""

    student: Tensor  # (M, Ds)
    teacher: Tensor  # (M, Dt)
    labels: Tensor  # (M,)
    classes: Sequence[int]


@dataclass(frozen=True)
class Findings:
    """All measurements, with tensors on the CPU."""

    student: Scores
    teacher: Scores
    judged: dict[str, Judged]  # by METHOD.NAME
    aligned: Aligned | None  # None where no place is known in one of the networks
    embedded: Embedded | None  # None where one of the heads is not known


@torch.no_grad()
def look(
    distillation: Distillation, deployed: nn.Module, teacher: Tapped, data: Data, device: torch.device, images: int
) -> Findings:
    """Run networks and methods on every test image, and once more on a random sample to compare features.

    Args:
        deployed: The network that is shipped: the student and any layers that its methods add to it.
        images: Size of the random sample.
    """
    student, count = distillation.student, len(data.classes)
    for module in (distillation, deployed, teacher):
        module.to(device)
    few = torch.linspace(0, count - 1, min(_CLASSES, count)).long().tolist()
    samples = [_Sample(data.test.labels, classes, images) for classes in (range(count), few)]
    outputs: list[tuple[Tensor, Tensor]] = []
    judged: dict[str, Judged] = {}
    with in_eval_mode(distillation, deployed, teacher):
        for batch in data.test.batches(device, _BATCH):
            s, t = student(batch.images), teacher(batch.images)
            outputs.append((s.logits if deployed is student.model else deployed(batch.images).float(), t.logits))
            for method_name, method in distillation.named_methods():
                for what, values in method.per_image(s, t, batch).items():
                    name = f"{method_name}.{what}"
                    judged[name] = _judged(judged.get(name), values.cpu().float(), _pixels(batch.images, data))
            for sample in samples:
                sample.keep(batch)
        s_scores, t_scores = (
            Scores(torch.cat(logits).cpu(), data.test.labels) for logits in zip(*outputs, strict=True)
        )
        aligned, embedded = _aligned(student, teacher, samples[0]), _embedded(student, teacher, samples[1])
    return Findings(s_scores, t_scores, judged, aligned, embedded)


class _Sample:
    """Test images of some classes, sampled at random."""

    def __init__(self, labels: Tensor, classes: Sequence[int], count: int):
        positions = torch.isin(labels, torch.tensor(classes)).nonzero().flatten()
        order = torch.randperm(len(positions), generator=stream(0, "inspection"))
        self.positions, self.classes = positions[order[:count]], classes
        self.labels = labels[self.positions]
        self._kept: list[Tensor] = []

    def keep(self, batch: Batch) -> None:
        """Keep the images of the batch that belong to the sample."""
        sampled = torch.isin(batch.indices, self.positions.to(batch.indices.device))
        self._kept.append(batch.images[sampled])

    def batches(self) -> Sequence[Tensor]:
        """Return the images in random order, because data sets are often sorted by class."""
        rank = self.positions.argsort().argsort()
        return torch.split(torch.cat(self._kept)[rank.to(self._kept[0].device)], _BATCH)


def _judged(before: Judged | None, values: Tensor, pixels: Tensor) -> Judged:
    """Add a batch's numbers (N,) and images (N, H, W, 3) to those before."""
    everyone, ends = values, values
    if before is not None:
        everyone, ends = torch.cat([before.values, values]), torch.cat([before.ends, values])
        pixels = torch.cat([before.images, pixels])
    order = ends.argsort(stable=True)
    if len(order) > 2 * _SHOWN:
        order = torch.cat([order[:_SHOWN], order[-_SHOWN:]])
    return Judged(everyone, ends[order], pixels[order])


def _pixels(images: Tensor, data: Data) -> Tensor:
    """Undo normalisation, shrink to at most `_SIDE` px: (N, 3, H, W) -> (N, H, W, 3) uint8, on the CPU."""
    mean, std = (torch.tensor(channels, device=images.device)[:, None, None] for channels in (data.mean, data.std))
    if images.shape[2] > _SIDE:
        images = F.interpolate(images, _SIDE, mode="bilinear", antialias=True)
    return (255 * (images * std + mean)).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu()


def _aligned(student: Tapped, teacher: Tapped, sample: _Sample) -> Aligned | None:
    s_places, t_places = _places(student), _places(teacher)
    if not s_places or not t_places:
        return None

    def features() -> Iterator[list[Tensor]]:
        for images in sample.batches():
            s, t = student(images), teacher(images)
            yield [*(s[place] for place in s_places), *(t[place] for place in t_places)]

    return Aligned(s_places, t_places, alignment(features())[: len(s_places), len(s_places) :], len(sample.labels))


def _places(net: Tapped) -> list[str]:
    """Tap every stage and the embedding, and return their names."""
    places = [role for role in net.anatomy.roles if role.startswith("stage") or role == "embedding"]
    net.tap(places)
    return places


def _embedded(student: Tapped, teacher: Tapped, sample: _Sample) -> Embedded | None:
    if student.anatomy.head is None or teacher.anatomy.head is None:
        return None
    read = [(student(images)["embedding"], teacher(images)["embedding"]) for images in sample.batches()]
    s, t = (torch.cat(vectors).flatten(1).cpu() for vectors in zip(*read, strict=True))
    return Embedded(s, t, sample.labels, sample.classes)

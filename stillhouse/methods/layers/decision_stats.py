"""Counts of decisions per sample and place, kept on the device without waiting for it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...batch import Batch, DataInfo

_NEVER = 255


class Decisions(nn.Module):
    """On or off at each of P places, for every training sample; saved and resumed with the network.

    `latest` and the labels show afterwards which samples are on at which places, and which patterns occur. The other
    counts restart with every epoch.
    """

    latest: Tensor  # (samples, P) uint8, 255 for a sample not seen yet
    seen: Tensor  # (classes,)
    on: Tensor  # (classes, P)
    changed: Tensor  # (P,) decisions that differ from the same sample's previous one
    probability: Tensor  # (P,) sums

    def __init__(self, places: Sequence[str], data: DataInfo):
        super().__init__()
        self.places, count = list(places), len(places)
        self.register_buffer("latest", torch.full((len(data.labels), count), _NEVER, dtype=torch.uint8))
        self.register_buffer("seen", torch.zeros(data.num_classes, dtype=torch.int64))
        self.register_buffer("on", torch.zeros(data.num_classes, count, dtype=torch.int64))
        self.register_buffer("changed", torch.zeros(count, dtype=torch.int64))
        self.register_buffer("probability", torch.zeros(count))

    def begin_epoch(self) -> None:
        for counts in (self.seen, self.on, self.changed, self.probability):
            counts.zero_()

    @torch.no_grad()
    def record(self, on: Tensor, probability: Tensor, batch: Batch) -> None:
        """Add the decisions of one step: (N, P) zeros and ones, and (N, P) the probabilities of a one."""
        new, old = on.to(torch.uint8), self.latest[batch.indices]
        self.changed += ((new != old) & (old != _NEVER)).sum(0)
        self.latest[batch.indices] = new
        self.seen.index_add_(0, batch.labels, torch.ones_like(batch.labels))
        self.on.index_add_(0, batch.labels, new.to(self.on.dtype))
        self.probability += probability.sum(0)

    def read(self) -> dict[str, Tensor]:
        """Return, by place, the shares of samples that are on, that were expected to be on, and that changed."""
        total = self.seen.sum().clamp(min=1)
        shares = {"on": self.on.sum(0) / total, "likely": self.probability / total, "changed": self.changed / total}
        return {f"{what}/{place}": share[i] for what, share in shares.items() for i, place in enumerate(self.places)}

    @property
    def rate_by_class(self) -> Tensor:
        """Return (classes, P), the share of a class's samples that are on."""
        return self.on / self.seen.clamp(min=1)[:, None]

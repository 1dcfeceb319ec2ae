"""What was decided per sample and place, counted where it happens: on the device, without waiting for it."""

import torch
from torch import Tensor, nn

from ..outputs import Batch, DataInfo

_NEVER = 255


class Decisions(nn.Module):
    """Yes or no at each of P places, for every training sample. All of it is saved and resumed with the network.

    `latest` holds each sample's last decisions (255: not yet seen), so that patterns, and maps of who is on where,
    can be drawn afterwards. The other counts begin anew with every epoch.
    """

    latest: Tensor  # (samples, P) uint8
    seen: Tensor  # (classes,)
    on: Tensor  # (classes, P)
    changed: Tensor  # (P,) decisions unlike the same sample's one before
    probability: Tensor  # (P,) sums

    def __init__(self, places: int, data: DataInfo):
        super().__init__()
        self.register_buffer("latest", torch.full((len(data.labels), places), _NEVER, dtype=torch.uint8))
        self.register_buffer("seen", torch.zeros(data.num_classes, dtype=torch.int64))
        self.register_buffer("on", torch.zeros(data.num_classes, places, dtype=torch.int64))
        self.register_buffer("changed", torch.zeros(places, dtype=torch.int64))
        self.register_buffer("probability", torch.zeros(places))

    @torch.no_grad()
    def record(self, on: Tensor, probability: Tensor, batch: Batch) -> None:
        """(N, P) zeros and ones, (N, P) how likely a one was"""
        if batch.epoch % 1 == 0:  # the first step of an epoch
            for counts in (self.seen, self.on, self.changed, self.probability):
                counts.zero_()
        new, old = on.to(torch.uint8), self.latest[batch.indices]
        self.changed += ((new != old) & (old != _NEVER)).sum(0)
        self.latest[batch.indices] = new
        self.seen.index_add_(0, batch.labels, torch.ones_like(batch.labels))
        self.on.index_add_(0, batch.labels, new.to(self.on.dtype))
        self.probability += probability.sum(0)

    @property
    def rate(self) -> Tensor:
        """(P,) the share of samples that were on since the epoch began"""
        return self.on.sum(0) / self.seen.sum().clamp(min=1)

    @property
    def rate_by_class(self) -> Tensor:
        """(classes, P)"""
        return self.on / self.seen.clamp(min=1)[:, None]

    @property
    def change(self) -> Tensor:
        """(P,) the share of samples that were decided unlike the time before"""
        return self.changed / self.seen.sum().clamp(min=1)

    @property
    def likelihood(self) -> Tensor:
        """(P,) the mean probability of a one"""
        return self.probability / self.seen.sum().clamp(min=1)

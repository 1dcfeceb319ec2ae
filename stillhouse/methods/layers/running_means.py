"""Averages for a column in metrics.jsonl."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ...batch import Batch


class Means(nn.Module):
    """Means over the steps since the epoch began, kept on the device and saved with the network."""

    sums: Tensor  # one for each name, then the number of steps

    def __init__(self, names: Sequence[str]):
        super().__init__()
        self.names = list(names)
        self.register_buffer("sums", torch.zeros(len(names) + 1))

    @torch.no_grad()
    def record(self, values: Mapping[str, Tensor], batch: Batch) -> None:
        """Scalars of one step"""
        if batch.epoch % 1 == 0:  # the first step of an epoch
            self.sums.zero_()
        self.sums += torch.stack([*(values[name].to(self.sums) for name in self.names), self.sums.new_ones(())])

    def read(self) -> dict[str, Tensor]:
        *sums, steps = self.sums
        return {name: total / steps.clamp(min=1) for name, total in zip(self.names, sums, strict=True)}

"""Averages for columns in metrics.jsonl."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class Means(nn.Module):
    """Means over the steps of an epoch, kept on the device and saved with the network."""

    sums: Tensor  # one for each name, then the number of steps

    def __init__(self, names: Sequence[str]):
        super().__init__()
        self.names = list(names)
        self.register_buffer("sums", torch.zeros(len(names) + 1))

    def begin_epoch(self) -> None:
        self.sums.zero_()

    @torch.no_grad()
    def record(self, values: Mapping[str, Tensor]) -> None:
        """Add the scalars of one step."""
        self.sums += torch.stack([*(values[name].to(self.sums) for name in self.names), self.sums.new_ones(())])

    def read(self) -> dict[str, Tensor]:
        """Return the means by name, 0 before the first step."""
        *sums, steps = self.sums
        return {name: total / steps.clamp(min=1) for name, total in zip(self.names, sums, strict=True)}

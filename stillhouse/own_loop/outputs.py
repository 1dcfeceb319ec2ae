"""Outputs of a network for a batch, and those of all processes, each of which has images of its own."""

from __future__ import annotations

import copy
from dataclasses import replace

from torch import Tensor, nn

from .. import distributed
from ..batch import Batch
from ..taps import Outputs, Tapped
from .unknown import Unknown


def outputs_of(net: Tapped, batch: Batch) -> Outputs:
    """Return the outputs for the images of a batch, and for their strong view if there is one."""
    outputs: Outputs = net(batch.images)
    return outputs if batch.strong is None else replace(outputs, strong=net(batch.strong))


def with_batch_statistics(teacher: Tapped) -> Tapped:
    """Return a copy whose BatchNorms normalise by the statistics of each batch."""
    found = copy.deepcopy(teacher)
    for module in found.modules():
        module.training = isinstance(module, nn.modules.batchnorm._BatchNorm)
    return found


def gathered_outputs(outputs: Outputs) -> Outputs:
    """Return the outputs of all processes, with a gradient for this one's; each has as many images."""
    tapped = {name: _gathered(value) for name, value in outputs.tapped.items()}
    strong = None if outputs.strong is None else gathered_outputs(outputs.strong)
    return replace(outputs, logits=_gathered(outputs.logits), tapped=tapped, strong=strong)


def gathered_batch(batch: Batch) -> Batch:
    """Return the images of all processes and what is known about them; each has as many images."""
    return replace(
        batch,
        images=_gathered(batch.images),
        labels=_gathered(batch.labels),
        indices=_gathered(batch.indices),
        strong=None if batch.strong is None else _gathered(batch.strong),
    )


def _gathered(part: Tensor) -> Tensor:
    return part if isinstance(part, Unknown) else distributed.gather(part, len(part) * distributed.world_size())

"""Checks of the part of a network between its last map and its logits."""

import copy

import torch
from torch import Tensor, nn

from ...taps import Outputs, probe


@torch.no_grad()
def needs_pooled_linear_head(who: str, outputs: Outputs, image_size: int) -> None:
    """Refuse a network unless its logits are one linear layer of its map's average, for any weights.

    Raises:
        ValueError: If it does anything else after its map, such as normalising.
    """
    net, name = outputs.net, type(outputs.net.model).__name__
    if not isinstance(net.head, nn.Linear):
        raise ValueError(
            f"the {who} {name} must have a linear layer as head, not a {type(net.head).__name__}; name its last linear "
            f"layer with --{who}_anatomy.head"
        )
    twin = copy.deepcopy(net)
    if next(twin.parameters()).dtype in (torch.float16, torch.bfloat16):
        twin.float()  # so that rounding is not taken for another operation
    twin.tap(["map", "embedding"])
    for vector in [*twin.parameters(), *twin.buffers()]:
        if vector.is_floating_point() and vector.ndim == 1:
            vector.mul_(1.1).add_(0.1)  # a fresh normalisation after the pool does nothing and would go unnoticed
    probed = probe(twin, image_size)
    averaged = probed["map"].ndim == 4 and _agree(probed["map"].mean((2, 3)), probed["embedding"])
    if not averaged or not _agree(twin.head(probed["embedding"]), probed.logits):
        raise ValueError(
            f"the logits of the {who} {name} must be one linear layer of the average of its map, {net.anatomy.map}, "
            f"so that logits of regions average to the image's, but it does more in between; choose another network"
        )


def _agree(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one - other).abs().max() <= 1e-5 * other.abs().max().clamp(min=1))

"""Checks of the part of a network between its last map and its logits."""

import copy

import torch
from torch import Tensor, nn

from ...taps import Outputs, probe


@torch.no_grad()
def needs_pooled_linear_head(who: str, outputs: Outputs, image_size: int) -> None:
    """Refuse a network whose logits are not one linear layer of its map's average, whatever its weights may become.

    Raises:
        ValueError: If it does anything else behind its map, such as to normalise.
    """
    net, name = outputs.net, type(outputs.net.model).__name__
    if not isinstance(net.head, nn.Linear):
        raise ValueError(
            f"the {who} {name} must have a linear layer as head, not a {type(net.head).__name__}; name its last linear "
            f"layer with --{who}_anatomy.head"
        )
    twin = copy.deepcopy(net)
    if next(twin.parameters()).dtype in (torch.float16, torch.bfloat16):
        twin.float()  # else rounding looks like something else
    twin.tap(["map", "embedding"])
    for vector in [*twin.parameters(), *twin.buffers()]:
        if vector.is_floating_point() and vector.ndim == 1:
            vector.mul_(1.1).add_(0.1)  # a fresh normalisation behind the pool does nothing, which would go unnoticed
    probed = probe(twin, image_size)
    averaged = probed["map"].ndim == 4 and _agree(probed["map"].mean((2, 3)), probed["embedding"])
    if not averaged or not _agree(twin.head(probed["embedding"]), probed.logits):
        raise ValueError(
            f"the logits of the {who} {name} must be one linear layer of the average of its map, {net.anatomy.map}, "
            f"so that those of regions add up to the image's, but it does more in between; choose another network"
        )


def _agree(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one - other).abs().max() <= 1e-5 * other.abs().max().clamp(min=1))

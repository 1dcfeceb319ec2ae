"""What lies between a network's last map and its logits."""

import copy

import torch
from torch import Tensor, nn

from ...taps import Outputs, probe


@torch.no_grad()
def needs_pooled_linear_head(who: str, outputs: Outputs, image_size: int) -> None:
    """Refuses a network whose logits are not one linear layer's of its map's average, whatever its weights may become.

    Raises:
        ValueError: If it does anything else behind its map, such as to normalise.
    """
    net, name = outputs.net, type(outputs.net.model).__name__
    if not isinstance(net.head, nn.Linear):
        raise ValueError(
            f"the {who} {name} has a {type(net.head).__name__} as head; name its last linear layer instead"
        )
    twin = copy.deepcopy(net)
    twin.tap(["map", "embedding"])
    for vector in [*twin.parameters(), *twin.buffers()]:
        if vector.is_floating_point() and vector.ndim == 1:
            vector.mul_(1.1).add_(0.1)  # a fresh normalisation behind the pool does nothing, which would go unnoticed
    probed = probe(twin, image_size)
    averaged = probed["map"].ndim == 4 and _agree(probed["map"].mean((2, 3)), probed["embedding"])
    if not averaged or not _agree(twin.head(probed["embedding"]), probed.logits):
        raise ValueError(
            f"between its map, {net.anatomy.map}, and its logits the {who} {name} does more than average and one "
            f"linear layer, so the logits of regions would not add up to the image's; choose another network"
        )


def _agree(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one - other).abs().max() <= 1e-5 * other.abs().max().clamp(min=1))

"""Adapters: layers that turn features of one network into features for another network of any kind."""

from collections.abc import Sequence

from torch import Tensor, nn

from .connectors import Regressor


def adapter(source: Sequence[int], target: Sequence[int]) -> nn.Module:
    """Return a trainable module from features of one shape to features of another; shapes include the batch.

    Between maps: a 1 x 1 convolution, BatchNorm and ReLU. The convolution has stride 2 for a map half as large, and is
    transposed for one twice as large; for any other size, the map is averaged or repeated first. Between vectors: a
    linear layer. With tokens, or between a map and a vector: linear layers over channels and positions.
    """
    if len(source) == len(target) == 2:
        return nn.Linear(source[1], target[1])
    if len(source) != 4 or len(target) != 4:
        return _Mixer(source, target)
    before, size = (source[2], source[3]), (target[2], target[3])
    double, half = (2 * size[0], 2 * size[1]), (2 * before[0], 2 * before[1])
    if before in (size, double) or half == size:
        return Regressor(source, target)
    return nn.Sequential(nn.AdaptiveAvgPool2d(size), Regressor((*source[:2], *size), target))


class _Mixer(nn.Module):
    """Maps (N, C, H, W), tokens (N, L, D) or vectors (N, D) -> any of them"""

    def __init__(self, source: Sequence[int], target: Sequence[int]):
        super().__init__()
        (positions, channels), (new_positions, new_channels) = _positions(source), _positions(target)
        self.shape = tuple(target[1:])
        self.channels = nn.Linear(channels, new_channels)
        self.norm = nn.LayerNorm(new_channels)
        self.positions: nn.Module = nn.Identity()
        if positions != new_positions:
            self.positions = nn.Linear(positions, new_positions)

    def forward(self, features: Tensor) -> Tensor:
        if features.ndim != 3:
            features = features.flatten(2).mT if features.ndim == 4 else features[:, None]
        features = self.positions(self.norm(self.channels(features)).mT)  # (N, new channels, new positions)
        return (features.mT if len(self.shape) == 2 else features).reshape(len(features), *self.shape)


def _positions(shape: Sequence[int]) -> tuple[int, int]:
    """Return the number of positions and of channels."""
    match tuple(shape[1:]):
        case (channels, height, width):
            return height * width, channels
        case (length, channels):
            return length, channels
        case (channels,):
            return 1, channels
        case _:
            raise ValueError(
                f"features must be maps, tokens or vectors, not of shape {tuple(shape)}; name other places with at"
            )

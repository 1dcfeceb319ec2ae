"""The outside of a transformer: tokens, a signed embedding, no map."""

from torch import Tensor, nn

from stillhouse.anatomy import Anatomy


class TokenNet(nn.Module):
    """(N, 3, 16, 16) -> (N, 5)"""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm, self.fc = nn.Conv2d(3, 8, 4, stride=4), nn.LayerNorm(8), nn.Linear(8, 5)
        self.anatomy = Anatomy(head="fc")

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.norm(self.patches(images).flatten(2).transpose(1, 2)).mean(1))
        return logits

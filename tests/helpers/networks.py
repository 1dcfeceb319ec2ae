"""Networks small enough to run hundreds of times."""

from pathlib import Path

from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.rng import seeded


class TinyNet(nn.Module):
    """(N, 3, 16, 16) -> (N, classes), in three stages that end in in-place ReLUs; it declares no anatomy."""

    def __init__(self, classes: int = 5, width: int = 4):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.conv1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.norm1 = nn.BatchNorm2d(2 * width)
        self.act1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(2 * width, 3 * width, 3, stride=2, padding=1)
        self.norm2 = nn.BatchNorm2d(3 * width)
        self.act2 = nn.ReLU(inplace=True)
        self.unused = nn.Identity()
        self.fc = nn.Linear(3 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        x = self.act1(self.norm1(self.conv1(x)))
        x = self.act2(self.norm2(self.conv2(x)))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def tiny(classes: int = 5, width: int = 4, seed: int = 0) -> TinyNet:
    with seeded(seed, "tiny"):
        return TinyNet(classes, width)


class QuickNet(nn.Module):
    """Two strided convolutions with BatchNorm, dropout, and a head."""

    def __init__(self, num_classes: int = 4, width: int = 4, dropout: float = 0.0):
        super().__init__()
        self.stage1 = _block(3, width)
        self.stage2 = _block(width, 2 * width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * width, num_classes)
        self.anatomy = Anatomy(stages=("stage1", "stage2"), head="head", map="stage2")

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dropout(self.stage2(self.stage1(images)).mean((2, 3))))
        return logits


def _block(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())


class TokenNet(nn.Module):
    """(N, 3, 16, 16) -> (N, 5), as a transformer is seen from outside: tokens, a signed embedding, no map."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm, self.fc = nn.Conv2d(3, 8, 4, stride=4), nn.LayerNorm(8), nn.Linear(8, 5)
        self.anatomy = Anatomy(head="fc")

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.norm(self.patches(images).flatten(2).transpose(1, 2)).mean(1))
        return logits


def quick_net_file(folder: Path) -> str:
    """Write a file with two networks of a user's own, FILE:small and FILE:wide, and return its path."""
    path = folder / "my_nets.py"
    path.write_text(
        "from tests.helpers.networks import QuickNet\n\n\n"
        "def small(num_classes):\n    return QuickNet(num_classes, 4)\n\n\n"
        "def wide(num_classes):\n    return QuickNet(num_classes, 8)\n"
    )
    return str(path)

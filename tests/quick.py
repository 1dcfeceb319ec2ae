"""Networks and data on which a whole training takes a second."""

from pathlib import Path

import torch
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.data import Arrays, Data, from_arrays


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


def quick_data(batch_size: int = 8, seed: int = 0, images: int = 40, validation: float = 0.0) -> Data:
    """Four classes of 16 px noise, each with a brighter quarter of its own."""
    generator = torch.Generator().manual_seed(7)
    labels = torch.arange(images) % 4
    pixels = torch.randint(0, 128, (images, 16, 16, 3), generator=generator)
    for row, label in enumerate(labels.tolist()):
        top, left = 8 * (label // 2), 8 * (label % 2)
        pixels[row, top : top + 8, left : left + 8] += 100
    pixels = pixels.to(torch.uint8)
    held_out = pixels[:20].clone(), labels[:20].clone()
    arrays = Arrays("quick", "noise", pixels, labels, *held_out, tuple("abcd"), flip=False)
    return from_arrays(arrays, batch_size=batch_size, seed=seed, validation=validation)


def quick_net_file(folder: Path) -> str:
    """A file with networks of a user's own, to be named as FILE:small and, a wider one, FILE:wide."""
    path = folder / "my_nets.py"
    path.write_text(
        "from tests.quick import QuickNet\n\n\n"
        "def small(num_classes):\n    return QuickNet(num_classes, 4)\n\n\n"
        "def wide(num_classes):\n    return QuickNet(num_classes, 8)\n"
    )
    return str(path)

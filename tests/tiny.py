"""Networks that nobody annotated, small enough to run hundreds of times."""

import torch
from torch import Tensor, nn

from stillhouse.batch import Batch, DataInfo
from stillhouse.rng import seeded


class TinyNet(nn.Module):
    """(N, 3, 16, 16) -> (N, classes), in three stages that end in ReLUs working in place."""

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


def tiny_batch(size: int = 6, classes: int = 5, step: int = 0) -> Batch:
    images = torch.randn(size, 3, 16, 16, generator=torch.Generator().manual_seed(step))
    return Batch(images, torch.arange(size) % classes, torch.arange(size), step=step)


TINY_DATA = DataInfo(num_classes=5, image_size=16, labels=torch.arange(30) % 5, batch_size=6)

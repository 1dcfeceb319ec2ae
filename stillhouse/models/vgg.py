"""VGG networks with batch normalisation for small images: vgg8, vgg11, vgg13, vgg16, vgg19."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from ..anatomy import Anatomy


def _block(inputs: int, outputs: int, convolutions: int) -> nn.Sequential:
    """Return conv-bn-relu-...-conv-bn, without the last ReLU, which the network applies by name."""
    layers: list[nn.Module] = []
    for _ in range(convolutions):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers[:-1])


class _HalveLarge(nn.Module):
    """A pool that halves maps of 8 rows or more; after three other pools these are images of 64 rows or more."""

    def forward(self, x: Tensor) -> Tensor:
        # Arithmetic instead of `if`, so that torch.fx can trace it; a window of 1 leaves the map as it is.
        window = 1 + (x.shape[2] >= 8)
        return F.max_pool2d(x, window, window)


class VGG(nn.Module):
    """Very Deep Convolutional Networks (Simonyan and Zisserman, ICLR 2015, arXiv:1409.1556).

    The layout is RepDistiller's, so its checkpoints load: one linear layer instead of three, so vgg-n has n - 2
    layers. Its rule of a fourth pool "if the image height is 64" is read as "64 or more".

    Args:
        convolutions: Number of them in each of the five blocks.
        fourth_pool: Pool large maps once more; SDD's authors do not for images of 224 px.
    """

    def __init__(self, convolutions: Sequence[int], num_classes: int, fourth_pool: bool = True):
        super().__init__()
        self.block0 = _block(3, 64, convolutions[0])
        self.relu0 = nn.ReLU()
        self.pool0 = nn.MaxPool2d(2)
        self.block1 = _block(64, 128, convolutions[1])
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.block2 = _block(128, 256, convolutions[2])
        self.relu2 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(2)
        self.block3 = _block(256, 512, convolutions[3])
        self.relu3 = nn.ReLU()
        self.pool3 = _HalveLarge() if fourth_pool else nn.Identity()
        self.block4 = _block(512, 512, convolutions[4])
        self.relu4 = nn.ReLU()
        self.classifier = nn.Linear(512, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

        self.anatomy = Anatomy(
            stem="relu0",
            stages=("relu1", "relu2", "relu3", "relu4"),
            preacts=("block1", "block2", "block3", "block4"),
            norms=tuple(f"block{i}.{3 * convolutions[i] - 2}" for i in (1, 2, 3, 4)),
            map="relu4",
            head="classifier",
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, C)"""
        x = self.relu0(self.block0(images))  # (N, 64, H, W)
        x = self.relu1(self.block1(self.pool0(x)))  # (N, 128, H / 2, W / 2)
        x = self.relu2(self.block2(self.pool1(x)))  # (N, 256, H / 4, W / 4)
        x = self.relu3(self.block3(self.pool2(x)))  # (N, 512, H / 8, W / 8)
        x = self.relu4(self.block4(self.pool3(x)))  # (N, 512, H / 8, W / 8), half of that for large images
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits

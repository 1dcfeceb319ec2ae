"""Fashion-MNIST (Xiao et al., 2017, arXiv:1708.07747): grey pictures of clothes."""

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor
from torchvision.datasets import FashionMNIST

from .arrays import Arrays

BORDER = 2  # pixels on each side: 28x28 -> 32x32, the size the networks are made for


def fashion_mnist(folder: Path) -> Arrays:
    """Load 60,000 training and 10,000 test images of 28x28, black border to 32x32, made RGB, in 10 classes."""
    try:
        train, test = (FashionMNIST(str(folder), train=train, download=True) for train in (True, False))
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"fashion_mnist could not be downloaded ({error}); without a network: fetch the four .gz files from "
            f"https://github.com/zalandoresearch/fashion-mnist and put them into {folder / 'FashionMNIST' / 'raw'}"
        ) from error
    return Arrays(
        name="fashion_mnist",
        source=f"{folder / 'FashionMNIST'}; black border to 32x32",
        train_images=_bordered(train.data),
        train_labels=train.targets,
        test_images=_bordered(test.data),
        test_labels=test.targets,
        classes=tuple(train.classes),
        # 0.2860 and 0.3530 over 28x28 pixels, turned into those of 32x32 pixels with the border.
        mean=(0.2190, 0.2190, 0.2190),
        std=(0.3318, 0.3318, 0.3318),
    )


def _bordered(grey: Tensor) -> Tensor:
    """(N, 28, 28) -> (N, 32, 32, 3)"""
    return F.pad(grey, (BORDER, BORDER, BORDER, BORDER))[..., None].expand(-1, -1, -1, 3).contiguous()

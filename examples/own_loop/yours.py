"""Stands for what you have already: images with labels, a trained teacher, a student, and a measure of success."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, Dataset, TensorDataset

from stillhouse import network

SIZE, CLASSES = 16, 10


class Numbered(Dataset[tuple[Tensor, Tensor, int]]):
    """Any data set of (image, label), with the position of each image: methods with a memory, such as CRD, need it."""

    def __init__(self, dataset: TensorDataset):
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int]:
        image, label = self.dataset[index]
        return image, label, index


def images() -> tuple[TensorDataset, TensorDataset]:
    """Handwritten digits of scikit-learn, for training and held out."""
    digits = load_digits()
    grey = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 8 - 1
    pixels = F.interpolate(grey, size=(SIZE, SIZE), mode="bilinear").expand(-1, 3, -1, -1).contiguous()
    labels = torch.tensor(digits.target)
    train, held_out = train_test_split(torch.arange(len(labels)), test_size=0.2, stratify=labels, random_state=0)
    return TensorDataset(pixels[train], labels[train]), TensorDataset(pixels[held_out], labels[held_out])


def student() -> nn.Module:
    return network("resnet8", CLASSES, SIZE)


def teacher() -> nn.Module:
    """A network with good weights; yours are loaded from a file, these are trained for some seconds."""
    net, loader, epochs = network("resnet14", CLASSES, SIZE), DataLoader(images()[0], 64, shuffle=True), 3
    optimizer = torch.optim.SGD(net.parameters(), momentum=0.9, weight_decay=5e-4)
    schedule = OneCycleLR(optimizer, max_lr=0.1, total_steps=epochs * len(loader))
    for _ in range(epochs):
        for batch, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(net(batch), labels).backward()
            optimizer.step()
            schedule.step()
    return net


@torch.no_grad()
def accuracy(net: nn.Module) -> float:
    """Return the share of held-out images that a network classifies right, in percent."""
    pixels, labels = images()[1].tensors
    device = next(net.parameters()).device
    return 100 * (net.eval()(pixels.to(device)).argmax(1).cpu() == labels).double().mean().item()

"""Accuracy of networks on corrupted held-out images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..data import Data
from ..export.preprocessing import Preprocessing
from ..modes import in_eval_mode
from ..rng import stream
from ..training.evaluation import MANY
from .corruptions import CORRUPTIONS, STRENGTHS, Corruption
from .measured import Measured


@dataclass(frozen=True)
class Robustness:
    """Numbers of right guesses.

    Args:
        images: Images on which it was measured.
        of: Held-out images, of which these are a part that is balanced by class.
        size: Their height and width in px.
        clean: Right guesses for these images as they are, by role.
        right: Right guesses at each strength, by role and by corruption.
    """

    images: int
    of: int
    size: int
    clean: Mapping[str, int]
    right: Mapping[str, Mapping[str, Sequence[int]]]

    def relative(self, role: str) -> float | None:
        """Return the mean accuracy over all corruptions and strengths in percent of the clean one; None if that is 0.

        The paper's mCE is another number: errors relative to those of AlexNet.
        """
        counts = [count for one in self.right[role].values() for count in one]
        return 100 * sum(counts) / len(counts) / self.clean[role] if self.clean[role] else None


def robustness(
    networks: Sequence[Measured],
    data: Data,
    device: torch.device,
    images: int,
    corruptions: Sequence[Corruption] = CORRUPTIONS,
    done: Callable[[int], object] | None = None,
) -> Robustness:
    """Measure networks on corrupted held-out images.

    Args:
        images: Number of images, drawn evenly from the classes, the same each time.
        done: Called with the number of images, as they are and corrupted, that all networks have seen; see `passes`.

    Raises:
        ValueError: If the pixels of the images cannot be recovered exactly.
    """
    steps = Preprocessing(data.info.image_size, data.mean, data.std)
    chosen = some(data.test.labels.cpu(), images)
    names = [one.name for one in corruptions]
    clean = {one.role: 0 for one in networks}
    right = {one.role: {name: [0] * STRENGTHS for name in names} for one in networks}
    seen, tell = 0, done or int
    for indices in torch.split(chosen, MANY):
        shown = data.test.evaluated(indices)
        labels, pixels = data.test.labels.cpu()[indices], steps.pixels_of(shown, data.mean, data.std)
        for one in networks:
            clean[one.role] += _right(one, shown, labels, device)
        tell(seen := seen + len(indices))
        for corruption in corruptions:
            for at, parameter in enumerate(corruption.parameters(steps.size)):
                corrupted = steps.normalise(corruption.apply(pixels, indices, parameter))
                for one in networks:
                    right[one.role][corruption.name][at] += _right(one, corrupted, labels, device)
                tell(seen := seen + len(indices))
    return Robustness(len(chosen), len(data.test), steps.size, clean, right)


def passes(images: int) -> int:
    """Return the number of images that each network sees: so many as they are, and by each corruption and strength."""
    return images * (1 + len(CORRUPTIONS) * STRENGTHS)


def some(labels: Tensor, images: int) -> Tensor:
    """Return the places of so many images, as evenly from the classes as can be, ascending: (N,) -> (M,).

    They depend on the labels only; more images hold all that fewer do.
    """
    order = torch.randperm(len(labels), generator=stream(0, "images for robustness"))
    rank = torch.empty_like(order)  # 0 for the first image of its class, 1 for the second, ...
    for label in range(int(labels.max()) + 1):
        members = order[labels[order] == label]
        rank[members] = torch.arange(len(members))
    return order[rank[order].argsort(stable=True)][:images].sort().values


@torch.no_grad()
def _right(one: Measured, images: Tensor, labels: Tensor, device: torch.device) -> int:
    model = one.network.net.model.to(device)
    with in_eval_mode(model):
        guesses = model(images.to(device)).argmax(1).cpu()
    return int((guesses == labels).sum())

"""Images that one network gets right and another does not."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..report.intervals import Paired, of_share, over_images


@dataclass(frozen=True)
class Flips:
    """Change from one network to another on the same images.

    "Positive-Congruent Training" (Yan et al., CVPR 2021, arXiv:2011.09161) calls the share of images that only the old
    network gets right the negative flip rate.

    Args:
        positive: Images that only the new network gets right.
        negative: Images that only the old network gets right.
        both: Images that both get right.
        images: All images.
        change: Accuracy of the new network minus that of the old one, in points, with its interval.
    """

    positive: int
    negative: int
    both: int
    images: int
    change: Paired

    @property
    def negative_rate(self) -> float:
        """The negative flip rate in percent."""
        return 100 * self.negative / self.images

    @property
    def negative_interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the negative flip rate, in percent."""
        return of_share(self.negative, self.images)


def flips(new: Tensor, old: Tensor) -> Flips:
    """Count the flips from an old network to a new one.

    Args:
        new: (N,) bool, the images that the new network gets right; at least one image.
        old: (N,) bool, likewise.
    """
    positive, negative, both = (int(which.sum()) for which in (new & ~old, old & ~new, new & old))
    return Flips(positive, negative, both, len(new), over_images(new, old))


def by_class(new: Tensor, old: Tensor, labels: Tensor, classes: int) -> list[Flips | None]:
    """Count the flips of each class; None for a class without images.

    Args:
        labels: (N,)
    """
    members = [labels == label for label in range(classes)]
    return [flips(new[which], old[which]) if which.any() else None for which in members]

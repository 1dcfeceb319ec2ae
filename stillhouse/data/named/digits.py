"""Handwritten digits that come with scikit-learn: no download, a run takes minutes on a laptop."""

from pathlib import Path

import torch
import torch.nn.functional as F

from ..arrays import Arrays
from ..dataset import stratified
from .facts import Named

SIZE = 32
TEST_FRACTION = 0.2


def digits(folder: Path) -> Arrays:
    """Return 1,797 grey 8x8 images, enlarged to 32x32 (bilinear) and made RGB.

    The same 20 % of each class are the test set in every run. Not flipped in training: a mirrored 2 is not a 2.
    `folder`, where the other data sets are downloaded to, is not used.
    """
    from sklearn.datasets import load_digits  # here, because importing scikit-learn takes a second

    raw = load_digits()
    grey = torch.as_tensor(raw.images, dtype=torch.float64)[:, None] * (255 / 16)  # (1797, 1, 8, 8), 0..255
    large = F.interpolate(grey, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
    images = large.round().to(torch.uint8).permute(0, 2, 3, 1).expand(-1, -1, -1, 3)
    labels = torch.as_tensor(raw.target, dtype=torch.int64)
    train, test = stratified(labels, TEST_FRACTION, seed=0)
    return Arrays(
        name="digits",
        source=f"scikit-learn (8x8, enlarged to {SIZE}x{SIZE}); {TEST_FRACTION:.0%} of each class are the test set",
        train_images=images[train].contiguous(),
        train_labels=labels[train],
        test_images=images[test].contiguous(),
        test_labels=labels[test],
        classes=tuple(str(name) for name in raw.target_names),
        flip=False,
    )


DIGITS = Named(
    name="digits",
    title="scikit-learn's handwritten digits (Alpaydin and Kaynak, 1998)",
    images=(1438, 0, 359),
    classes=10,
    pixels="8x8, enlarged to 32x32",
    licence="CC BY 4.0",
    page="https://archive.ics.uci.edu/dataset/80",
    read=digits,
)

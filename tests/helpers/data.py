"""Data on which a whole training takes a second."""

import torch

from stillhouse.data import Arrays, Crop, Data, InMemory, LoadOptions, from_arrays

MEAN, STD = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)


def quick_data(
    batch_size: int = 8, seed: int = 0, images: int = 40, validation: float = 0.0, crop: Crop = "auto"
) -> Data:
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
    return from_arrays(arrays, batch_size=batch_size, seed=seed, validation=validation, crop=crop)


def split(
    count: int = 23, size: int = 8, *, batch_size: int = 5, seed: int = 0, flip: bool = True, drop_last: bool = False
) -> InMemory:
    images = torch.randint(256, (count, size, size, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    options = LoadOptions(batch_size=batch_size, seed=seed, flip=flip, drop_last=drop_last)
    return InMemory(images, torch.arange(count) % 3, options, mean=MEAN, std=STD)

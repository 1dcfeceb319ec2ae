"""Times the batches that training reads beside the textbook's, and measures the memory they take.

    python benchmarks/data_path.py DATA [--blocks 5] [--steps 100]
    python benchmarks/data_path.py made [--images 3000] [--pixels 32] [--size 96] [--workers 0] [--steps 20]

The first is about small images in memory: both sides make normalised, cropped and flipped batches of 64 in one process
with one thread, the textbook's with PIL. Memory is what the resident set grows by after PyTorch is imported: pixels,
decoders, and a batch. The last line is `ratio R`.

The second is about images on disk: it makes JPEGs of about PIXELS x PIXELS in a temporary folder, as class folders,
parquet files and tar archives, and reads batches of 64 from each beside torchvision's ImageFolder with a DataLoader and
timm's loader. All of them decode, take a random resized part of SIZE px, mirror and normalise. Seconds are those that
all processes of a side compute, so they hold on a busy machine too. The last line is the ratio to timm's.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from pathlib import Path

import torch
from made_images import make
from side_by_side import Steps, race
from step import Pictures, Task
from torch.utils.data import DataLoader

from stillhouse.data import Folder, load
from stillhouse.data.image_folder import IMAGENET_MEAN, IMAGENET_STD
from stillhouse.data.in_memory import InMemory

BATCH = 64


def resident() -> float:
    """MB"""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS"))


def ours(task: Task) -> Steps:
    torch.set_num_threads(1)
    before = resident()
    train = task.load().train
    batches = (batch for epoch in count() for batch in train.epoch(epoch, "cpu"))
    next(batches)
    print(f"memory {resident() - before:.0f} MB")

    def steps(many: int) -> None:
        for _ in range(many):
            next(batches)

    return steps


def by_the_book(task: Task) -> Steps:
    torch.set_num_threads(1)
    train = task.load().train
    assert isinstance(train, InMemory)
    loader = DataLoader(Pictures(train, contrast=False), task.batch_size, shuffle=True)
    batches = (batch for _ in count() for batch in loader)

    def steps(many: int) -> None:
        for _ in range(many):
            next(batches)

    return steps


def endless(batches: Callable[[int], Iterable[object]]) -> Steps:
    """Return what reads so many batches, one epoch after another."""
    torch.set_num_threads(1)
    every = (batch for epoch in count() for batch in batches(epoch))

    def steps(many: int) -> None:
        for _ in range(many):
            next(every)

    return steps


def ours_on_disk(folder: Path, size: int, workers: int) -> Steps:
    kept = folder.parent / "kept"
    train = load(folder, image_size=size, batch_size=BATCH, workers=workers, download_to=kept).train
    assert isinstance(train, Folder)
    return endless(lambda epoch: train.epoch(epoch, "cpu"))


def torchvisions(folder: Path, size: int, workers: int) -> Steps:
    from torchvision import datasets, transforms

    prepare = [transforms.RandomResizedCrop(size), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    images = datasets.ImageFolder(
        str(folder / "train"), transforms.Compose([*prepare, transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)])
    )
    loader = DataLoader(images, BATCH, shuffle=True, num_workers=workers)
    return endless(lambda _: loader)


def timms(folder: Path, size: int, workers: int) -> Steps:
    from timm.data import create_dataset, create_loader

    loader = create_loader(
        create_dataset("", str(folder), split="train"),
        (3, size, size),
        BATCH,
        is_training=True,
        use_prefetcher=False,
        num_workers=workers,
        persistent_workers=False,
        scale=(0.08, 1),
        hflip=0.5,
        interpolation="bilinear",
        color_jitter=None,
        device=torch.device("cpu"),
    )
    return endless(lambda _: loader)


def on_disk(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as root:
        folders = make(Path(root), options.images, options.pixels)
        how = (options.size, options.workers)
        sides: dict[str, Callable[[], Steps]] = {
            layout: partial(ours_on_disk, folder, *how) for layout, folder in folders.items()
        }
        sides["torchvision"] = partial(torchvisions, folders["folder"], *how)
        sides["timm"] = partial(timms, folders["folder"], *how)
        times = race(sides, options.steps, options.blocks, patience=0)
    rates = {name: BATCH / statistics.median(one.cpu) for name, one in times.items()}
    print(f"{options.images} JPEGs of {options.pixels} px, {options.size} px shown, {options.workers} workers")
    for name, rate in rates.items():
        beside = ", ".join(f"{rate / rates[other]:.2f} of {other}'s" for other in ("torchvision", "timm"))
        print(f"{name:12} {rate:6.0f} images per second of a core; {beside}")
    print(f"ratio {rates['folder'] / rates['timm']:.2f}")


def in_memory(options: argparse.Namespace) -> None:
    task = Task("resnet56:resnet20", "KD", str(Path(options.data).absolute()))
    sides: dict[str, Callable[[], Steps]] = {"textbook": partial(by_the_book, task), "ours": partial(ours, task)}
    times = race(sides, options.steps, options.blocks)
    for name, one in times.items():
        print(f"{name:8} {1000 * one.median:6.2f} ms a batch; others took {one.busy:.0%}")
    print(f"ratio {times['textbook'].median / times['ours'].median:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--pixels", type=int, default=32)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()
    options.steps = options.steps or (20 if options.data == "made" else 100)
    if options.data == "made":
        on_disk(options)
    else:
        in_memory(options)


if __name__ == "__main__":
    main()

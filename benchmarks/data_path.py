"""Times the batches that training reads beside the textbook's PIL transforms, and measures the memory they take.

    python benchmarks/data_path.py DATA [--blocks 5] [--steps 100]

Both sides make normalised, cropped and flipped batches of 64 in one process with one thread. Memory is what the
resident set grows by after PyTorch is imported: pixels, decoders, and a batch. The last line is `ratio R`.
"""

import argparse
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import torch
from side_by_side import Steps, race
from step import Pictures, Task
from torch.utils.data import DataLoader

from stillhouse.data.in_memory import InMemory


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    task = Task("resnet56:resnet20", "KD", str(Path(options.data).absolute()))
    sides: dict[str, Callable[[], Steps]] = {"textbook": partial(by_the_book, task), "ours": partial(ours, task)}
    times = race(sides, options.steps, options.blocks)
    for name, one in times.items():
        print(f"{name:8} {1000 * one.median:6.2f} ms a batch; others took {one.busy:.0%}")
    print(f"ratio {times['textbook'].median / times['ours'].median:.1f}")


if __name__ == "__main__":
    main()

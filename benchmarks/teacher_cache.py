"""Times the step of a distillation without a teacher cache, with a partly filled and with a full one.

    nice -n -10 python benchmarks/teacher_cache.py DATA [--pair resnet56:resnet20] [--methods CE,KD] [--hit_rate 0.478]
        [--blocks 5] [--steps 16] [--threads N] [--compile]

Steps of a block are a multiple of 16, the batches that a cache looks up together.

The three variants teach the same student on the same images and take turns in blocks (A B C C B A ...); a time is the
median over blocks of a block's mean, and times of different runs are not to be compared. What a block will find in its
cache is written there beforehand, untimed; the default hit rate is the mean over a first run of 240 epochs with 162
views. Weights are random, which speed does not depend on. The tables are as large as real ones, but only what the
blocks ask for is filled, so a disk too slow to keep up, or a memory too small for them, do not show here.

The last lines are `ratio R`, of a full cache, and `first run R`. Results go to results/teacher_cache.csv.
"""

import argparse
import csv
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from itertools import chain, count, islice
from pathlib import Path

import torch

from stillhouse.catalogue import parse
from stillhouse.classroom import Classroom, Lesson
from stillhouse.data import Data, load
from stillhouse.distillation import Distillation
from stillhouse.engine import compile_room, keep_large_blocks
from stillhouse.networks import network
from stillhouse.recipe import Recipe
from stillhouse.runs import Run
from stillhouse.shelf import Shelf
from stillhouse.streams import stream
from stillhouse.taps import Tapped

BUSY = 0.05  # of the machine, taken by others


class Variant:
    """A room of one, with a cache that knows a share of what it will be asked; None: with no cache."""

    def __init__(self, name: str, share: float | None, data: Data, options: argparse.Namespace, folder: Path):
        self.name, self.share, self.data, self.steps = name, share, data, options.steps
        names = options.pair.rsplit(":", 1)
        teacher, student = (Tapped(network(one, len(data.classes), data.info.image_size, seed=0)) for one in names)
        methods = [spelled.build() for spelled in parse(options.methods)]
        lesson = Lesson(Distillation(student, teacher, methods, data.info), Recipe(), Run(folder, name, {}, {}))
        self.room = Classroom(teacher, [lesson])
        self.device = torch.device(options.device)
        note = compile_room(self.room, options.device) if options.compile else None
        if note:
            print(note)
        self.room.to(self.device)
        if share is not None:
            self.room.keep(Shelf(folder / name, "on", budget=20.0), data)
        lesson.begin()
        epochs = (islice(data.train.epoch(block, self.device), self.steps) for block in count())
        self.batches = self.room.foresee(chain.from_iterable(epochs))
        self.times: list[float] = []
        self.cpu_times: list[float] = []

    def prepare(self, epoch: int) -> None:
        """Writes down the share of the answers that the steps of an epoch shall find."""
        cache = self.room.cache
        if cache is None or self.share is None:
            return
        for batch in islice(self.data.train.epoch(epoch, self.device), self.steps):
            assert batch.views is not None
            rows = (batch.indices * cache.views + batch.views).cpu().numpy()
            known = torch.rand(len(rows), generator=stream(0, "known", batch.step)) < self.share
            rows = rows[known.numpy()]
            if len(rows):
                with torch.no_grad():
                    said = cache.ask(rows)
                cache.write(rows, {tap: said[tap][: len(rows)] for tap in cache.tables})

    def block(self) -> None:
        """Seconds a step."""
        began, cpu_began = time.perf_counter(), time.process_time()
        for batch in islice(self.batches, self.steps):
            self.room.teach(batch, self.room.lessons)
        self.room.lessons[0].check()  # waits for the device
        self.times.append((time.perf_counter() - began) / self.steps)
        self.cpu_times.append((time.process_time() - cpu_began) / self.steps)


def ticks() -> float:
    """CPU seconds that all processes used so far."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def take_turns(variants: Sequence[Variant], blocks: int) -> float:
    """The share of the machine that others took."""
    used = own = wall = 0.0
    for block in range(blocks + 1):
        for variant in variants:
            variant.prepare(block)
        used -= ticks()
        own -= time.process_time()
        wall -= time.perf_counter()
        for variant in variants if block % 2 else reversed(variants):
            variant.block()
        used, own, wall = used + ticks(), own + time.process_time(), wall + time.perf_counter()
    for variant in variants:
        del variant.times[0], variant.cpu_times[0]  # of warming up
    return (used - own) / (wall * (os.cpu_count() or 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data")
    parser.add_argument("--pair", default="resnet56:resnet20")
    parser.add_argument("--methods", default="CE(weight=0.1), KD(weight=0.9)")
    parser.add_argument("--hit_rate", type=float, default=0.478)
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_large_blocks()
    data = load(options.data, batch_size=options.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        shares = {"no_cache": None, "first_run": options.hit_rate, "full_cache": 1.0}
        variants = [Variant(name, share, data, options, Path(folder)) for name, share in shares.items()]
        foreign = take_turns(variants, options.blocks)
    medians = {variant.name: statistics.median(variant.times) for variant in variants}
    cpu = {variant.name: statistics.median(variant.cpu_times) for variant in variants}
    print(f"{options.pair} {options.methods}, batch {options.batch_size}, {options.threads} threads, {options.device}")
    for variant in variants:
        cache, times = variant.room.cache, [1000 * seconds for seconds in variant.times]
        hits = f"{100 * cache.hit_rate:5.1f} % hits" if cache else ""
        clock = f"{statistics.median(times):8.1f} ms ({min(times):.1f} to {max(times):.1f})"
        print(f"{variant.name:11}{clock}, {1000 * cpu[variant.name]:8.1f} ms of CPU time {hits}")
    print(f"others took {foreign:.0%} of the machine" + ("; repeat this when it is quiet" if foreign > BUSY else ""))
    first, full = (cpu["no_cache"] / cpu[name] for name in ("first_run", "full_cache"))
    print(f"by CPU time, which a busy machine disturbs less: first run {first:.2f}, ratio {full:.2f}")
    print(f"first run {medians['no_cache'] / medians['first_run']:.2f}")
    print(f"ratio {medians['no_cache'] / medians['full_cache']:.2f}")
    path = Path("results/teacher_cache.csv")
    path.parent.mkdir(exist_ok=True)
    is_new = not path.is_file()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(("pair", "methods", "batch_size", "threads", "device", "compiled", *medians, "foreign_cpu"))
        row = (options.pair, options.methods, options.batch_size, options.threads, options.device, options.compile)
        writer.writerow((*row, *(f"{1000 * value:.2f}" for value in medians.values()), f"{foreign:.2f}"))


if __name__ == "__main__":
    main()

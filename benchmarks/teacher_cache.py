"""Times the step of a distillation without a teacher cache, with a partly filled and with a full one.

    nice -n -10 python benchmarks/teacher_cache.py DATA [--pair resnet56:resnet20] [--hit_rate 0.478] [--compile]

The variants (see `side_by_side.py`) do the same arithmetic in float32, KD at batch 64: `textbook` is that of `step.py`,
the others are ours. What they will find in their caches is written there beforehand, untimed; the default hit rate is
the mean over a first run of 240 epochs with 162 views. Weights are random, which speed does not depend on. The tables
are as large as real ones, but only what the blocks ask for is filled, so a disk too slow to keep up, or a memory too
small for them, do not show here.

The last line is `ratio R`, of a full cache over the textbook; a row is added to results/teacher_cache.csv.
"""

import argparse
import csv
import tempfile
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from side_by_side import BUSY, Steps, race
from step import Task, a_room, by_the_book, ours, taught

from stillhouse.data import Data
from stillhouse.rng import stream
from stillhouse.training.cache.store import CacheStore
from stillhouse.training.cache.teacher_cache import AHEAD, TeacherCache


def cached(task: Task, share: float, compiled: bool, steps: int, folder: Path) -> Steps:
    """A room of one, whose cache knows a share of what it will be asked in so many steps."""
    room, data = a_room(task, compiled)
    room.use_cache(CacheStore(folder / f"{share}", "on", budget=20.0), data)
    assert room.cache is not None
    write_down(room.cache, data, share, task.device, steps)
    return taught(room, islice(room.prefetch(data.train.epoch(0, task.device)), steps))


@torch.no_grad()
def write_down(cache: TeacherCache, data: Data, share: float, device: str, steps: int) -> None:
    for batch in islice(data.train.epoch(0, device), steps + AHEAD):
        assert batch.views is not None
        rows = (batch.indices * cache.views + batch.views).cpu().numpy()
        rows = rows[(torch.rand(len(rows), generator=stream(0, "known", batch.step)) < share).numpy()]
        if len(rows):
            outputs = cache.compute(rows)
            cache.write(rows, {tap: outputs[tap][: len(rows)] for tap in cache.tables})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--pair", default="resnet56:resnet20")
    parser.add_argument("--hit_rate", type=float, default=0.478)
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--steps", type=int, default=AHEAD, help="in a block; so many are looked up together")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    task = Task(options.pair, "KD", str(Path(options.data).resolve()), threads=options.threads, device=options.device)
    enough = 2 * options.blocks * options.steps + AHEAD  # some blocks may be repeated
    with tempfile.TemporaryDirectory() as folder:
        known = [
            partial(cached, task, share, options.compile, enough, Path(folder)) for share in (options.hit_rate, 1.0)
        ]
        variants = {
            "textbook": partial(by_the_book, task),
            "no_cache": partial(ours, task, options.compile, options.device == "cuda"),
            "first_run": known[0],
            "full_cache": known[1],
        }
        times = race(variants, options.steps, options.blocks)
    book, foreign = times["textbook"].median, max(one.busy for one in times.values())
    print(
        f"{task.pair} KD, batch {task.batch_size}, {task.threads} threads, {task.device}, compiled: {options.compile}"
    )
    for name, one in times.items():
        blocks = f"{1000 * min(one.blocks):.0f} to {1000 * max(one.blocks):.0f}"
        print(f"{name:10} {1000 * one.median:8.1f} ms a step ({blocks})  x {book / one.median:.2f}")
    print(f"others took {foreign:.0%} of the machine" + ("; repeat this when it is quiet" if foreign > BUSY else ""))
    path = Path("results/teacher_cache.csv")
    path.parent.mkdir(exist_ok=True)
    is_new = not path.is_file()
    with path.open("a", newline="") as file:
        table = csv.writer(file)
        if is_new:
            table.writerow(("pair", "batch_size", "threads", "device", "compiled", *times, "foreign_cpu"))
        about = (task.pair, task.batch_size, task.threads, task.device, options.compile)
        table.writerow((*about, *(f"{1000 * one.median:.2f}" for one in times.values()), f"{foreign:.2f}"))
    print(f"first run {book / times['first_run'].median:.2f}")
    print(f"ratio {book / times['full_cache'].median:.2f}")


if __name__ == "__main__":
    main()

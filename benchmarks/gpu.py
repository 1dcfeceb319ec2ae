"""Measures on a GPU, within minutes, what whole steps as CUDA graphs bring: steps and rooms of two pairs, and equality.

    python benchmarks/gpu.py [--data DATA] [--pairs resnet56:resnet20,resnet32x4:resnet8x4] [--minutes 4] [--steps 200]

Each line is a process of its own, and the others wait; its time is the median of three timings of --steps steps, its
preparation (compiling and capturing included) the seconds to the end of its first steps. Before all, 200 steps with
graphs are compared with 200 without, in float32 with deterministic algorithms: their losses must agree to 1e-3. What
does not begin within --minutes is named at the end. Rows are added to results/gpu.csv. With --device cpu and few steps
it can be tried anywhere; graphs are repeated calls there.
"""

import argparse
import csv
import multiprocessing
import os
import statistics
import time
from dataclasses import dataclass, replace
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from step import Task, a_room, by_the_book, ours
from torch import Tensor

from stillhouse.training.capture.classroom import captured

TOLERANCE = 1e-3  # relative, of losses with and without graphs
PAIRS = "resnet56:resnet20,resnet32x4:resnet8x4"
HEADS = (
    "date",
    "card",
    "torch",
    "cuda",
    "pair",
    "variant",
    "students",
    "precision",
    "ms",
    "ms_a_student",
    "prepared_s",
)


@dataclass(frozen=True)
class Variant:
    """A way to train; the textbook's if nothing else is said."""

    name: str
    students: int = 1
    compiled: bool = False
    graphs: bool = False
    precision: str = "float32"


VARIANTS = (  # the most telling first, for time may be short
    Variant("textbook"),
    Variant("captured", compiled=True, graphs=True),
    Variant("captured, eager kernels", graphs=True),
    Variant("eager"),
    Variant("compiled", compiled=True),
    Variant("captured", 8, compiled=True, graphs=True),
    Variant("captured", 6, compiled=True, graphs=True, precision="bfloat16"),
    Variant("captured", 4, compiled=True, graphs=True),
)


def measure(task: Task, variant: Variant, steps: int, pipe: Connection) -> None:
    """Send seconds a step and seconds of preparation."""
    began = time.perf_counter()
    task = replace(task, precision=variant.precision)
    if variant.name == "textbook":
        train = by_the_book(task)
    else:
        train = ours(task, variant.compiled, variant.graphs, variant.students)
    train(5)  # the first ones warm up, the next is captured
    prepared, times = time.perf_counter() - began, []
    for _ in range(3):
        start = time.perf_counter()
        train(steps)
        if task.device == "cuda":
            torch.cuda.synchronize()
        times.append((time.perf_counter() - start) / steps)
    pipe.send((statistics.median(times), prepared))


def losses(task: Task, steps: int, pipe: Connection) -> None:
    """Send the largest relative difference between losses with and without graphs."""
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    traces: list[Tensor] = []
    for graphs in (False, True):
        room, data = a_room(task, compiled=False)
        capture = captured(room, task.batch_size, 1, torch.device(task.device), "on", print) if graphs else None
        meter, sums = room.trainers[0].meter, []
        batches = (batch for epoch in range(99) for batch in data.train.epoch(epoch, task.device))
        for _, batch in zip(range(steps), (capture or room).prefetch(batches), strict=False):
            (capture or room).train_step(batch, room.trainers)
            sums.append(torch.tensor(list(meter.means().values())).sum() * meter.steps)
        traces.append(torch.stack(sums).diff(prepend=torch.zeros(1)))
    eager, replayed = traces
    pipe.send(float(((replayed - eager) / eager).abs().max()))


def in_a_process(target: object, *arguments: object) -> object:
    context = multiprocessing.get_context("spawn")
    ours_end, theirs = context.Pipe()
    process = context.Process(target=target, args=(*arguments, theirs))  # type: ignore[arg-type] # a function
    process.start()
    theirs.close()
    try:
        return ours_end.recv()
    except EOFError:
        return None  # its error is printed above
    finally:
        process.join()


def keep(row: dict[str, object]) -> None:
    path = Path("results/gpu.csv")
    path.parent.mkdir(exist_ok=True)
    is_new = not path.is_file()
    with path.open("a", newline="") as file:
        table = csv.DictWriter(file, HEADS)
        if is_new:
            table.writeheader()
        table.writerow(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="a folder with CIFAR-100; noise if left out")
    parser.add_argument("--pairs", default=PAIRS)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    options = parser.parse_args()
    began, left_out = time.perf_counter(), []
    card = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    data = options.data and os.path.abspath(options.data)
    about = {"date": date.today().isoformat(), "card": card, "torch": torch.__version__, "cuda": torch.version.cuda}
    first, *_ = pairs = options.pairs.split(",")
    difference = in_a_process(losses, Task(first, "KD", data, device=options.device), options.steps)
    print(f"losses with graphs differ by {difference} at most; {TOLERANCE} is allowed", flush=True)
    for variant in VARIANTS:
        for pair in pairs:
            what = f"{pair} {variant.name}, {variant.students} of {variant.precision}"
            if time.perf_counter() - began > 60 * options.minutes:
                left_out.append(what)
                continue
            found = in_a_process(measure, Task(pair, "KD", data, device=options.device), variant, options.steps)
            if not isinstance(found, tuple):
                left_out.append(what)
                continue
            ms, prepared = 1000 * found[0], found[1]
            print(
                f"{what}: {ms:.2f} ms, {ms / variant.students:.2f} a student; ready after {prepared:.0f} s", flush=True
            )
            row = {"pair": pair, "variant": variant.name, "students": variant.students, "precision": variant.precision}
            times = {"ms": f"{ms:.3f}", "ms_a_student": f"{ms / variant.students:.3f}", "prepared_s": f"{prepared:.1f}"}
            keep({**about, **row, **times})
    print(f"left out: {'; '.join(left_out) or 'nothing'}")
    if not isinstance(difference, float) or not difference <= TOLERANCE:
        raise SystemExit("graphs do not train as eager steps do; see the difference above")


if __name__ == "__main__":
    main()

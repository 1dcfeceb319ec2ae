"""Measures on a GPU, within minutes, what whole steps as CUDA graphs bring: steps and rooms of two pairs, and equality.

    python benchmarks/gpu.py [--data DATA] [--pairs resnet56:resnet20,resnet32x4:resnet8x4] [--minutes 4] [--steps 200]
        [--rows 1,3,9] [--check false] [--profile 25]

Each line is a process of its own, and the others wait; its time is the median of three timings of --steps steps, its
preparation (compiling and capturing included) the seconds to the end of its first steps. Before all, 200 steps with
graphs are compared with 200 without, in float32 with deterministic algorithms: their losses must agree to 1e-3. What
does not begin within --minutes is named at the end. Rows are added to results/gpu.csv. With --device cpu and few steps
it can be tried anywhere; graphs are repeated calls there.

--rows chooses variants by number; --profile prints the longest kernels of each instead of timing it. The variants:

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
from side_by_side import Steps
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
    memory_format: torch.memory_format = torch.channels_last

    def __str__(self) -> str:
        return f"{self.name}, {self.students} of {self.precision}"


VARIANTS = (  # the most telling first, for time may be short
    Variant("captured, compiled", compiled=True, graphs=True),
    Variant("captured, eager kernels", graphs=True),
    Variant("captured, compiled, contiguous", compiled=True, graphs=True, memory_format=torch.contiguous_format),
    Variant("captured, eager kernels, contiguous", graphs=True, memory_format=torch.contiguous_format),
    Variant("captured, compiled", 6, compiled=True, graphs=True, precision="bfloat16"),
    Variant("captured, compiled", 8, compiled=True, graphs=True),
    Variant("textbook"),
    Variant("eager"),
    Variant("compiled", compiled=True),
    Variant("captured, compiled", 4, compiled=True, graphs=True),
)
NUMBERED = "\n".join(f"    {number}  {variant}" for number, variant in enumerate(VARIANTS, 1))


def prepare(task: Task, variant: Variant) -> Steps:
    """Return what trains for some steps, after the first steps, which warm up and capture."""
    task = replace(task, precision=variant.precision)
    if variant.name == "textbook":
        train = by_the_book(task)
    else:
        train = ours(task, variant.compiled, variant.graphs, variant.students, variant.memory_format)
    train(5)
    return train


def longest(task: Task, variant: Variant, kernels: int, pipe: Connection) -> None:
    """Print the kernels that took longest in 20 steps, and send their number."""
    train = prepare(task, variant)
    with torch.profiler.profile() as profiler:
        train(20)
    print(f"\n{task.pair} {variant}, 20 steps", flush=True)
    table = profiler.key_averages().table(f"self_{task.device}_time_total", kernels, max_name_column_width=90)
    print(table, flush=True)
    pipe.send(kernels)


def measure(task: Task, variant: Variant, steps: int, pipe: Connection) -> None:
    """Send seconds a step and seconds of preparation."""
    began = time.perf_counter()
    train = prepare(task, variant)
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
    context = multiprocessing.get_context("forkserver")  # which has imported everything
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
    about_it = f"{__doc__}{NUMBERED}"
    parser = argparse.ArgumentParser(description=about_it, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="a folder with CIFAR-100; noise if left out")
    parser.add_argument("--pairs", default=PAIRS)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rows", help="numbers of the variants, in the order wanted; all if left out")
    parser.add_argument("--check", default="true", choices=("true", "false"), help="compare losses first")
    parser.add_argument("--profile", type=int, metavar="KERNELS", help="print so many of the longest kernels")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    options = parser.parse_args()
    began, left_out = time.perf_counter(), []
    card = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    data = options.data and os.path.abspath(options.data)
    about = {"date": date.today().isoformat(), "card": card, "torch": torch.__version__, "cuda": torch.version.cuda}
    first, *_ = pairs = options.pairs.split(",")
    numbers = range(1, len(VARIANTS) + 1)
    rows = [int(number) for number in options.rows.split(",")] if options.rows else numbers
    if not set(rows) <= set(numbers):
        parser.error(f"--rows: numbers from 1 to {len(VARIANTS)}, with commas between them; --help lists them")
    difference: object = 0.0
    if options.check == "true":
        difference = in_a_process(losses, Task(first, "KD", data, device=options.device), options.steps)
        print(f"losses with graphs differ by {difference} at most; {TOLERANCE} is allowed", flush=True)
    for variant in [VARIANTS[number - 1] for number in rows]:
        for pair in pairs:
            what = f"{pair} {variant}"
            if time.perf_counter() - began > 60 * options.minutes:
                left_out.append(what)
                continue
            task = Task(pair, "KD", data, device=options.device)
            if options.profile:
                if in_a_process(longest, task, variant, options.profile) is None:
                    left_out.append(what)
                continue
            found = in_a_process(measure, task, variant, options.steps)
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

"""Times classrooms of 1, 2, 4 and 8 students beside each other: what a student costs when others listen too.

    python benchmarks/classrooms.py resnet56:resnet20 [--data PATH] [--sizes 1,2,4,8] [--blocks 5] [--steps 3]

A room of one is what separate runs would be. The last line is `ratio R`, how many times less a student of the largest
room takes; memory is the peak of the process. Results go to results/classrooms.csv.
"""

import argparse
import csv
import os
from datetime import date
from functools import partial
from pathlib import Path

import torch
from side_by_side import BUSY, race
from step import Task, ours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pair", help="teacher:student")
    parser.add_argument("method", nargs="?", default="KD")
    parser.add_argument("--data", help="a folder with CIFAR-100; noise if left out")
    parser.add_argument("--sizes", default="1,2,4,8")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="in a block")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    data = options.data and os.path.abspath(options.data)
    task = Task(options.pair, options.method, data, threads=options.threads, device=options.device)
    sizes = [int(size) for size in options.sizes.split(",")]
    graphs = task.device == "cuda"
    rooms = {str(size): partial(ours, task, options.compile, graphs, students=size) for size in sizes}
    times = race(rooms, options.steps, options.blocks)
    alone, ratio = times[str(sizes[0])], 1.0
    path = Path("results/classrooms.csv")
    path.parent.mkdir(exist_ok=True)
    is_new = not path.is_file()
    with path.open("a", newline="") as file:
        table = csv.writer(file)
        if is_new:
            table.writerow(("date", "pair", "method", "compiled", "students", "ms", "times_faster", "MB", "foreign"))
        for size, one in zip(sizes, times.values(), strict=True):
            ratio = size * alone.median / one.median / sizes[0]
            print(
                f"{size} students: {1000 * one.median:8.1f} ms a step, {1000 * one.median / size:7.1f} a student, "
                f"x {ratio:.2f}; {one.peak:.0f} MB, x {one.peak / alone.peak:.2f}; others took {one.busy:.0%}"
            )
            row = f"{1000 * one.median:.1f} {ratio:.2f} {one.peak:.0f} {one.busy:.2f}".split()
            table.writerow((date.today().isoformat(), task.pair, task.method, options.compile, size, *row))
    if max(one.busy for one in times.values()) > BUSY:
        print(f"others took more than {BUSY:.0%} of the machine; repeat this when it is quiet")
    print(f"ratio {ratio:.2f}")


if __name__ == "__main__":
    main()

"""Times a step with spot-adaptive distillation beside plain distillation by the same methods.

    python benchmarks/spot_adaptive.py [METHOD ...] [--pair resnet32x4:resnet8x4] [--data PATH] [--blocks 5] [--steps 3]

For each method M it compares "CE, KD, M" with "CE, SpotAdaptive([KD, M])". Results go to results/spot_adaptive.csv.
"""

import argparse
import csv
import os
from datetime import date
from functools import partial
from pathlib import Path

import torch
from side_by_side import race
from step import Task, ours

METHODS = ("SP", "FT", "CRD", "RKD", "PKT", "CC", "AT", "NST", "VID")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", default=list(METHODS), metavar="METHOD")
    parser.add_argument("--pair", default="resnet32x4:resnet8x4", help="teacher:student")
    parser.add_argument("--data", help="a folder with CIFAR-100; noise if left out")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="in a block")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    path = Path("results/spot_adaptive.csv")
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("date", "pair", "method", "plain_ms", "adaptive_ms", "cost", "foreign"))
        for method in options.methods:
            data = options.data and os.path.abspath(options.data)
            tasks = [Task(options.pair, f"KD, {method}", data, threads=options.threads)]
            tasks.append(Task(options.pair, f"SpotAdaptive([KD, {method}])", data, threads=options.threads))
            sides = {task.method: partial(ours, task, compiled=False) for task in tasks}
            plain, adaptive = race(sides, options.steps, options.blocks).values()
            cost, busy = adaptive.median / plain.median, max(plain.busy, adaptive.busy)
            times = f"{1000 * plain.median:.0f} {1000 * adaptive.median:.0f} {cost:.2f} {busy:.2f}".split()
            table.writerow((date.today().isoformat(), options.pair, method, *times))
            file.flush()
            print(f"{method:4} {times[0]:>6} ms plain, {times[1]:>6} ms adaptive, x {times[2]}; others took {busy:.0%}")


if __name__ == "__main__":
    main()

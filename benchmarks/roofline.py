"""Says how fast a step could be on this machine if nothing but its convolutions took time, and how near we come to it.

    python benchmarks/roofline.py [PAIR ...] [--threads N]

The machine's rate is measured: the median, over the layers below, of the fastest of many 3x3 convolutions in float32.
The work is counted: the teacher's forward pass and three times the student's, the backward pass being two forward ones.
Limit and share are printed for each pair, the share where results/speed.csv holds a KD step of the same pair that was
measured on a CPU: compare them only if that was on the same machine. Convolutions of few channels do not reach that
rate, so what they take as they run, in an eager step under PyTorch's profiler, is printed as well: what is left beside
it is all that anything but faster convolutions, or fewer of them, could save. Results go to results/roofline.csv.
"""

import argparse
import csv
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from step import Task, ours
from torch.nn.functional import conv2d
from torch.profiler import profile

from stillhouse.training.compile import keep_large_blocks
from stillhouse.training.evaluation import size_of

PAIRS = (
    *("resnet56:resnet20", "resnet32x4:resnet8x4", "wrn_40_2:wrn_16_2", "vgg13:vgg8", "ResNet50:MobileNetV2"),
    "resnet32x4:ShuffleV2",
)
LAYERS = ((64, 32), (128, 16), (256, 8), (256, 16))  # channels and size of the maps
BATCH = 64


def rate(repeats: int = 40) -> float:
    """Floating-point operations a second."""
    rates = []
    for channels, size in LAYERS:
        images = torch.randn(BATCH, channels, size, size).contiguous(memory_format=torch.channels_last)
        weight = torch.randn(channels, channels, 3, 3).contiguous(memory_format=torch.channels_last)
        times = []
        for _ in range(repeats):
            began = time.perf_counter()
            conv2d(images, weight, padding=1)
            times.append(time.perf_counter() - began)
        rates.append(2 * BATCH * size**2 * channels**2 * 9 / min(times))
    return statistics.median(rates)


def work(pair: str) -> float:
    """Floating-point operations of a step of distillation."""
    teacher, student = (size_of(net.model, 32)[1] for net in Task(pair, "KD").networks())
    return 2.0 * BATCH * (teacher + 3 * student)


def in_convolutions(pair: str, threads: int, count: int = 5) -> tuple[float, float]:
    """Milliseconds that a step spends in convolutions, and in all."""
    steps = ours(Task(pair, "KD", threads=threads), compiled=False)
    steps(count)
    began = time.perf_counter()
    with profile() as profiled:
        steps(count)
    taken = 1000 * (time.perf_counter() - began) / count
    names = ("aten::mkldnn_convolution", "aten::_mkldnn_convolution", "aten::convolution_backward")
    inside = sum(one.self_cpu_time_total for one in profiled.key_averages() if one.key in names)
    return inside / 1000 / count, taken


def measured(pair: str) -> Iterator[float]:
    """Milliseconds a step, of the fastest variant in results/speed.csv."""
    path = Path("results/speed.csv")
    if path.is_file():
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                if (row["pair"], row["method"], row["device"]) == (pair, "KD", "cpu") and row["variant"] != "textbook":
                    yield float(row["ms"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="*", default=list(PAIRS), metavar="PAIR", help="teacher:student")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_large_blocks()
    with torch.inference_mode():
        flops = rate()
    print(f"{options.threads} threads convolve at {flops / 1e9:.0f} GFLOP/s")
    path = Path("results/roofline.csv")
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        columns = ("pair", "GFLOP", "GFLOP_per_s", "limit_ms", "measured_ms", "share", "convolutions_ms", "profiled_ms")
        table.writerow(columns)
        for pair in options.pairs:
            operations = work(pair)
            limit = 1000 * operations / flops
            best = min(measured(pair), default=None)
            share = f"; {best:.0f} ms measured, {limit / best:.0%} of what is possible" if best else ""
            inside, taken = in_convolutions(pair, options.threads)
            print(
                f"{pair:24} {operations / 1e9:6.1f} GFLOP a step: {limit:5.0f} ms at the least{share}; "
                f"{inside:.0f} of an eager step's {taken:.0f} ms in convolutions",
                flush=True,
            )
            reached = (f"{best:.1f}", f"{limit / best:.2f}") if best else ("", "")
            row = (f"{operations / 1e9:.1f}", f"{flops / 1e9:.0f}", f"{limit:.1f}", *reached)
            table.writerow((pair, *row, f"{inside:.1f}", f"{taken:.1f}"))


if __name__ == "__main__":
    main()

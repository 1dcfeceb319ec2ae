"""Times each method's loss, forward and backward, beside its textbook formulation, and compares what they compute.

    nice -n -10 python benchmarks/losses.py [METHOD ...] [--rounds 7] [--threads N] [--channels_last]

Both sides get the same features, shaped as those of resnet32x4 and resnet8x4 for a batch of 64, share trained layers,
and leave the allocator as it comes with PyTorch. They take turns (A B B A ...) in blocks of equal length, each after a
pass or two that are not timed, in which the memory that the other side left behind is put in order; a time is the
median over blocks of a block's mean. It is the process's own time on a processor with one thread, and what the clock on
the wall says with more. Times of different runs are not to be compared. A block during which other processes took more
than a twentieth of the machine is repeated as long as there is patience, and if that does not help the table says so:
they still share its caches.

Extra memory is what the resident set of a forked process rises to (VmHWM, reset through /proc/self/clear_refs) during
one forward and backward pass, its second: the first loads code. The gradients of the inputs are part of it, both sides
having them. Values and gradients are compared in float32 as timed, and in float64 for a batch of 8.

The random choice of CRD's negatives is left out on both sides. Results go to results/losses.csv.
"""

import argparse
import csv
import ctypes
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import textbook
import torch
import torch.nn.functional as F
from torch import Tensor

from stillhouse.batch import Batch, DataInfo
from stillhouse.method import Method
from stillhouse.methods import AT, CC, CRD, DSPP, FSP, KD, NST, PKT, RKD, SP, VID, SemCKD
from stillhouse.models.create import network
from stillhouse.rng import seeded, stream
from stillhouse.taps import Outputs, Tapped

CLASSES, IMAGES, SIZE = 100, 50_000, 32
SHAPES = {"stem": (32, 32, 32), "stage1": (64, 32, 32), "stage2": (128, 16, 16), "stage3": (256, 8, 8)}
SHAPES |= {"last_stage": SHAPES["stage3"], "embedding": (256,), "logits": (CLASSES,)}
STAGES = ("stage1", "stage2", "stage3")
BUSY = 0.05  # of the machine, taken by others
SHOWN = ("method", "ours_ms", "textbook_ms", "times_faster", "ours_MB", "textbook_MB", "times_smaller")
SHOWN += ("value", "gradient", "value_float64", "gradient_float64", "foreign_cpu")
WIDTH = 16

Loss = Callable[[], Tensor]


@dataclass
class Case:
    """A loss in both formulations, and what they are functions of."""

    ours: Loss
    textbook: Loss
    leaves: list[Tensor]  # what gets a gradient


class Features:
    """Made-up features of both networks, the student's in need of a gradient."""

    def __init__(self, count: int = 64, dtype: torch.dtype = torch.float32, channels_last: bool = False):
        self.count, self.dtype = count, dtype
        self.nets = Tapped(network("resnet8x4", CLASSES, SIZE)), Tapped(network("resnet32x4", CLASSES, SIZE))
        draw = stream(0, "features")
        tapped: list[dict[str, Tensor]] = []
        for trained in (True, False):
            made: dict[str, Tensor] = {}
            for place, shape in SHAPES.items():
                value = torch.randn(64, *shape, generator=draw)[:count].to(dtype)
                value = value if place == "logits" else value.relu_()
                if channels_last and value.ndim == 4:
                    value = value.contiguous(memory_format=torch.channels_last)
                made[place] = value.requires_grad_(trained)
            made["stage3"] = made["last_stage"]
            tapped.append(made)
        self.s, self.t = tapped
        self.student, self.teacher = (
            Outputs(made["logits"], made, net) for made, net in zip(tapped, self.nets, strict=True)
        )
        labels = torch.arange(IMAGES) % CLASSES
        rows = torch.randperm(IMAGES, generator=draw)[:count]
        self.data = DataInfo(CLASSES, SIZE, labels, count)
        self.batch = Batch(torch.zeros(count, 3, SIZE, SIZE, dtype=dtype), labels[rows], rows, epoch=0.5)

    def stages(self, tapped: dict[str, Tensor]) -> list[Tensor]:
        return [tapped[stage] for stage in STAGES]

    def build(self, method: Method) -> Method:
        with seeded(0, "build"):
            method.spots = method.choose_spots(self.nets[0].anatomy, self.nets[1].anatomy)
            method.build(self.student, self.teacher, self.data)
        return method.to(self.dtype).train()

    def case(self, method: Method, textbook: Loss, places: Sequence[str]) -> Case:
        """The usual: the method is asked as in training."""
        return self.pair(method, lambda: method(self.student, self.teacher, self.batch), textbook, places)

    def pair(self, method: Method, ours: Loss, textbook: Loss, places: Sequence[str]) -> Case:
        """A method's loss for each image, or for the batch, and the textbook's for the batch"""
        trained = [p for p in method.parameters() if p.requires_grad]
        return Case(lambda: mean(ours()), textbook, [*(self.s[place] for place in places), *trained])


def kd(f: Features) -> Case:
    return f.case(f.build(KD()), lambda: textbook.kd(f.s["logits"], f.t["logits"]), ["logits"])


def at(f: Features) -> Case:
    return f.case(f.build(AT()), lambda: textbook.at(f.stages(f.s), f.stages(f.t)), STAGES)


def sp(f: Features) -> Case:
    return f.case(f.build(SP()), lambda: textbook.sp(f.s["stage3"], f.t["stage3"]), ["stage3"])


def pkt(f: Features) -> Case:
    return f.case(f.build(PKT()), lambda: textbook.pkt(f.s["embedding"], f.t["embedding"]), ["embedding"])


def cc(f: Features) -> Case:
    method = f.build(CC(correlation="consecutive"))
    s, t = (module[0] for module in (method.connectors, method.teacher_connectors))
    return f.case(method, lambda: textbook.cc(s(f.s["embedding"]), t(f.t["embedding"])), ["embedding"])


def vid(f: Features) -> Case:
    method = f.build(VID())
    layers = [gaussian.regressor for gaussian in method.gaussians], [g.log_scale for g in method.gaussians]
    return f.case(method, lambda: textbook.vid(f.stages(f.s), f.stages(f.t), *layers), STAGES)


def rkd(f: Features) -> Case:
    return f.case(f.build(RKD()), lambda: textbook.rkd(f.s["embedding"], f.t["embedding"]), ["embedding"])


def nst(f: Features) -> Case:
    return f.case(f.build(NST()), lambda: textbook.nst(f.stages(f.s), f.stages(f.t)), STAGES)


def fsp(f: Features) -> Case:
    method, places = f.build(FSP()), ("stem", *STAGES)
    maps = [f.s[place] for place in places], [f.t[place] for place in places]
    ours = lambda: method.flow_loss(f.student, f.teacher, f.batch)  # noqa: E731
    return f.pair(method, ours, lambda: textbook.fsp(*maps), places)


def dspp(f: Features) -> Case:
    maps, method = (f.s["stage3"], f.t["stage3"]), DSPP()  # without its regressor, so without parameters
    return f.pair(method, lambda: method.loss(*maps), lambda: textbook.dspp(*maps), ["stage3"])


def crd(f: Features) -> Case:
    method = f.build(CRD())
    candidates, indices = method.candidates(f.batch), f.batch.indices
    gathered = textbook.CRD([method.student_memory.bank, method.teacher_memory.bank])

    def vectors() -> list[Tensor]:
        layers = (method.embed_student, f.s["embedding"]), (method.embed_teacher, f.t["embedding"])
        return [F.normalize(layer(x)) for layer, x in layers]

    ours = lambda: method.loss(*vectors(), indices, candidates)  # noqa: E731
    return f.pair(method, ours, lambda: gathered(*vectors(), indices, candidates), ["embedding"])


def semckd(f: Features) -> Case:
    method = f.build(SemCKD())
    layers = method.queries, method.keys, method.regressors
    return f.case(method, lambda: textbook.semckd(f.stages(f.s), f.stages(f.t), *layers), STAGES)


CASES = {
    **{"NST": nst, "FSP": fsp, "CRD": crd, "DSPP": dspp, "RKD": rkd},
    **{"AT": at, "SP": sp, "PKT": pkt, "CC": cc, "VID": vid, "KD": kd, "SemCKD": semckd},
}


def mean(loss: Tensor) -> Tensor:
    return loss.mean() if loss.ndim else loss  # as Distillation does it


def backward(loss: Loss, leaves: Sequence[Tensor]) -> Tensor:
    for leaf in leaves:
        leaf.grad = None
    value = loss()
    value.backward()
    return value.detach()


def difference(case: Case) -> tuple[float, float]:
    """Of values and of gradients, relative to the textbook's."""
    seen = []
    for loss in (case.textbook, case.ours):
        value = backward(loss, case.leaves)
        seen.append((value, torch.cat([leaf.grad.flatten() for leaf in case.leaves if leaf.grad is not None])))
    return tuple(float((ours - known).norm() / known.norm()) for known, ours in zip(*seen, strict=True))  # type: ignore


@dataclass
class Clock:
    """Takes turns, and watches what others do meanwhile."""

    patience: float  # seconds, for all repetitions
    now: Callable[[], float]
    foreign: list[float] = field(default_factory=list)

    def race(self, sides: Sequence[Callable[[], object]], rounds: int, seconds: float) -> list[float]:
        """Seconds of a call of each side"""
        counts, blocks = [], [[] for _ in sides]
        for side in sides:
            side()
            counts.append(max(1, round(seconds / self.timed(side, 1))))
        for turn in range(rounds):
            order = range(len(sides)) if turn % 2 == 0 else reversed(range(len(sides)))
            for i in order:
                blocks[i].append(self.block(sides[i], counts[i]))
        return [statistics.median(found) for found in blocks]

    def block(self, side: Callable[[], object], count: int) -> float:
        settle(side)
        while True:
            before, own, began = _all_cpu(), time.process_time(), time.perf_counter()
            mean = self.timed(side, count)
            took = time.perf_counter() - began
            others = _all_cpu() - before - (time.process_time() - own)
            share = max(0.0, others / took / (os.cpu_count() or 1))
            if share <= BUSY or self.patience <= 0:
                self.foreign.append(share)
                return mean
            self.patience -= took

    def timed(self, side: Callable[[], object], count: int) -> float:
        began = self.now()
        for _ in range(count):
            side()
        return (self.now() - began) / count


def settle(side: Callable[[], object], seconds: float = 1.0) -> None:
    """Untimed passes, two if they are short, that begin with the memory given back which another side left behind."""
    ctypes.CDLL(None).malloc_trim(0)
    began = time.perf_counter()
    side()
    if time.perf_counter() - began < seconds:
        side()


def _all_cpu() -> float:
    """Seconds that all processes together have computed since the machine began, on all processors"""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def extra_memory(loss: Loss, leaves: Sequence[Tensor]) -> float:
    """MB that a forward and backward pass needs beside its inputs"""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 1 << 16)  # M_MMAP_THRESHOLD: what is freed goes back at once
        backward(loss, leaves)
        for leaf in leaves:
            leaf.grad = None
        libc.malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        before = _status("VmRSS")
        backward(loss, leaves)
        os.write(writing, str(_status("VmHWM") - before).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return float(answer) / 1000 if answer else float("nan")


def _status(key: str) -> int:
    """kB"""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def memory(name: str, options: argparse.Namespace) -> dict[str, float]:
    case = CASES[name](Features(options.batch_size, channels_last=options.channels_last))
    ours, theirs = extra_memory(case.ours, case.leaves), extra_memory(case.textbook, case.leaves)
    return {"ours_MB": ours, "textbook_MB": theirs, "times_smaller": theirs / max(ours, 0.01)}


def equality(name: str, options: argparse.Namespace) -> dict[str, float]:
    value, gradient = difference(CASES[name](Features(options.batch_size, channels_last=options.channels_last)))
    value64, gradient64 = difference(CASES[name](Features(8, torch.float64, options.channels_last)))
    return {"value": value, "gradient": gradient, "value_float64": value64, "gradient_float64": gradient64}


def speed(name: str, options: argparse.Namespace) -> dict[str, float]:
    case = CASES[name](Features(options.batch_size, channels_last=options.channels_last))
    clock = Clock(options.patience, time.process_time if options.threads == 1 else time.perf_counter)
    sides = [partial(backward, loss, case.leaves) for loss in (case.ours, case.textbook)]
    ours, theirs = clock.race(sides, options.rounds, options.seconds)
    busy = statistics.median(clock.foreign)
    return {"ours_ms": 1000 * ours, "textbook_ms": 1000 * theirs, "times_faster": theirs / ours, "foreign_cpu": busy}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", default=list(CASES), metavar="METHOD", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=7, help="blocks of each side")
    parser.add_argument("--seconds", type=float, default=0.3, help="length of a block; at least one pass")
    parser.add_argument("--patience", type=float, default=30.0, help="seconds a method may spend on disturbed blocks")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--channels_last", action="store_true", help="lay maps out as training does")
    parser.add_argument("--output", type=Path, default=Path("results/losses.csv"))
    options = parser.parse_args()
    torch.set_num_threads(1)  # until all processes are forked: one with threads cannot be
    rows: dict[str, dict[str, object]] = {name: {"method": name, **memory(name, options)} for name in options.methods}
    torch.set_num_threads(options.threads)
    layout = "channels_last" if options.channels_last else "contiguous"
    print("  ".join(f"{title:>{WIDTH}}" for title in SHOWN))
    for name, row in rows.items():
        row |= {**equality(name, options), **speed(name, options), "threads": options.threads, "layout": layout}
        cells = [f"{row[title]:.3g}" if isinstance(row[title], float) else str(row[title]) for title in SHOWN]
        print("  ".join(f"{cell:>{WIDTH}}" for cell in cells), flush=True)
    if any(float(str(row["foreign_cpu"])) > BUSY for row in rows.values()):
        print(f"warning: others took more than {BUSY:.0%} of the machine; repeat this when it is quiet")
    options.output.parent.mkdir(exist_ok=True)
    with options.output.open("w", newline="") as file:
        table = csv.DictWriter(file, [*SHOWN, "threads", "layout"])
        table.writeheader()
        table.writerows(rows.values())


if __name__ == "__main__":
    main()

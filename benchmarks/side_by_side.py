"""Times variants of something beside each other: each in a process of its own, stopped while another one computes.

A variant is a function that prepares everything and returns what to time: steps to make -> nothing. Blocks are taken in
turns (A B C C B A ...), and a time is the median over blocks of a block's mean. Whatever a variant starts (workers that
read images) belongs to its process group and is stopped with it. A block during which processes of nobody here took
more than a twentieth of the machine is repeated as long as there is patience, and if that does not help `busy` says so.
"""

import multiprocessing
import os
import signal
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

BUSY = 0.05  # of the machine, taken by others

Steps = Callable[[int], object]


@dataclass
class Times:
    """Seconds a step, of each block; what a variant said of itself; the share of the machine that others took."""

    blocks: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # that all its processes computed for a step, of each block
    prepared: float = 0.0  # seconds from the start of the process to its first step, that included
    peak: float = 0.0  # MB, of the variant's main process
    foreign: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.blocks)

    @property
    def busy(self) -> float:
        return statistics.median(self.foreign)


class _Process:
    """A variant at work, or stopped."""

    def __init__(self, prepare: Callable[[], Steps]):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.began = time.perf_counter()
        self.process = context.Process(target=_serve, args=(prepare, theirs))
        self.process.start()
        theirs.close()

    def ask(self, steps: int) -> float:
        """Seconds that so many steps took."""
        self.signal(signal.SIGCONT)
        self.pipe.send(steps)
        try:
            took: float = self.pipe.recv()
        except EOFError:
            raise SystemExit("a variant died; its error is printed above") from None
        self.signal(signal.SIGSTOP)
        return took

    def signal(self, number: int) -> None:
        if self.process.pid and os.getpgid(self.process.pid) == self.process.pid:
            os.killpg(self.process.pid, number)

    def peak(self) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM"))

    def end(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.join()


def _serve(prepare: Callable[[], Steps], pipe: Connection) -> None:
    os.setpgid(0, 0)
    steps = prepare()
    while True:
        count = pipe.recv()
        began = time.perf_counter()
        steps(count)
        pipe.send(time.perf_counter() - began)


def race(
    variants: Mapping[str, Callable[[], Steps]], steps: int, blocks: int = 5, warm: int = 3, patience: float = 60.0
) -> dict[str, Times]:
    """Prepares the variants one after another, then lets them take turns.

    Args:
        variants: Picklable functions by name.
        steps: In a block.
        blocks: Of each variant.
        warm: Steps before the first block, untimed.
        patience: Seconds that may go into repeating disturbed blocks, for all variants together.
    """
    times = {name: Times() for name in variants}
    running: dict[str, _Process] = {}
    try:
        for name, prepare in variants.items():
            running[name] = _Process(prepare)
            running[name].ask(1)
            times[name].prepared = time.perf_counter() - running[name].began
            running[name].ask(warm)
        for block in range(blocks):
            for name in running if block % 2 == 0 else reversed(running):
                patience = _block(running[name], times[name], steps, patience)
        for name, process in running.items():
            times[name].peak = process.peak()
    finally:
        for process in running.values():
            process.end()
    return times


def _block(process: _Process, times: Times, steps: int, patience: float) -> float:
    """Times a block, again if it was disturbed; returns the patience that is left."""
    while True:
        group = process.process.pid or 0
        used, own, began = _all_cpu(), _group_cpu(group), time.perf_counter()
        seconds = process.ask(steps)
        took = time.perf_counter() - began
        computed = _group_cpu(group) - own
        others = _all_cpu() - used - computed
        share = max(0.0, others / took / (os.cpu_count() or 1))
        if share <= BUSY or patience <= 0:
            times.blocks.append(seconds / steps)
            times.cpu.append(computed / steps)
            times.foreign.append(share)
            return patience
        patience -= took


def _all_cpu() -> float:
    """Seconds that all processes together have computed since the machine began, on all processors"""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _group_cpu(group: int) -> float:
    """Seconds that the processes of a group have computed, with what their ended children had"""
    total = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()  # state, ppid, pgrp, ...
        except OSError:
            continue  # it has just ended
        if int(fields[2]) == group:
            total += sum(map(int, fields[11:15]))
    return total / os.sysconf("SC_CLK_TCK")

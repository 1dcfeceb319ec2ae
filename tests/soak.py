"""Ends trainings in every way that happens in practice, at random moments, and checks what is left.

    python -m tests.soak [--times 200] [--seed 0] [--capture auto|on|off]

Each time the same command resumes where the last one stopped. No file may be damaged and no epoch lost, and when it
gets to the end, its networks and measurements are compared byte by byte with those of an uninterrupted run. Then it
starts again. The tests do the same a few times.
"""

import argparse
import errno
import json
import math
import multiprocessing
import os
import random
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast
from unittest.mock import patch

import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from stillhouse import rng
from stillhouse.__main__ import main
from stillhouse.checkpoints import load_state
from stillhouse.plan import timing
from stillhouse.training.optimizer import Optimizer
from stillhouse.training.teachers.weights_file import weights_in
from tests.helpers.networks import quick_net_file
from tests.helpers.processes import exit_code

Kind = Literal["killed", "killed writing", "terminated", "disk full", "read-only", "out of memory", "worker dead"]
BY_STEP: tuple[Kind, ...] = ("killed", "terminated", "out of memory", "worker dead")
SENTENCES: dict[Kind, str] = {
    "terminated": "run the same command again to resume",
    "disk full": "make room",
    "read-only": "check that path",
    "out of memory": "too little memory",
    "worker dead": "a worker process that reads images died",
}
READERS: dict[str, Callable[[Path], object]] = {
    ".safetensors": load_file,
    ".pt": load_state,
    ".json": lambda path: json.loads(path.read_text()),
    ".yaml": lambda path: yaml.safe_load(path.read_text()),
}


@dataclass(frozen=True)
class Fault:
    """What happens, and before which step of the optimiser or write of a file, counted from 0.

    Steps that are measured and undone before a training do not count: a fast machine takes more of them.
    """

    kind: Kind
    at: int
    renamed: bool = False  # of "killed writing": after the new file took its place

    @property
    def exit_code(self) -> int:
        return -signal.SIGKILL if self.kind.startswith("killed") else 2


@contextmanager
def happening(fault: Fault) -> Iterator[None]:
    """Lets it happen, when its time has come."""
    left, replace, step, preserved, undone = [fault.at], os.replace, Optimizer.step, rng.preserved, [False]

    @contextmanager
    def measuring() -> Iterator[None]:
        undone[0] = True
        try:
            with preserved():
                yield
        finally:
            undone[0] = False

    def is_up() -> bool:
        left[0] -= 1
        return left[0] == -1

    def counted_replace(source: str, target: Path) -> None:
        comes = is_up()
        if comes and fault.kind != "killed writing":
            number = errno.ENOSPC if fault.kind == "disk full" else errno.EROFS
            raise OSError(number, os.strerror(number), str(target))
        if not comes or fault.renamed:
            replace(source, target)
        if comes:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted_step(self: Optimizer, terms: Mapping[str, torch.Tensor]) -> None:
        if not undone[0] and is_up():
            if fault.kind == "out of memory":
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            if fault.kind == "worker dead":
                for worker in multiprocessing.active_children():
                    os.kill(worker.pid or 0, signal.SIGKILL)
            else:
                os.kill(os.getpid(), signal.SIGTERM if fault.kind == "terminated" else signal.SIGKILL)
        step(self, terms)

    with ExitStack() as stack:
        if fault.kind in BY_STEP:
            stack.enter_context(patch.object(Optimizer, "step", counted_step))
            stack.enter_context(patch.object(timing, "preserved", measuring))
        else:
            stack.enter_context(patch("os.replace", counted_replace))
        yield


def _run(words: Sequence[str], fault: Fault | None, outputs: Path) -> None:
    os.chdir(outputs.parent)  # the user's own, with the networks
    with ExitStack() as stack:
        file = stack.enter_context(outputs.open("w"))
        stack.enter_context(redirect_stdout(file))
        stack.enter_context(redirect_stderr(file))
        if fault is not None:
            stack.enter_context(happening(fault))
        code = main(words)
    os._exit(code)


def in_a_process(words: Sequence[str], outputs: Path, fault: Fault | None = None) -> int:
    """The exit code of a command in a process of its own, to which a fault happens; negative if a signal ended it."""
    code = exit_code(_run, list(words), fault, outputs)
    assert code is not None
    return code


def outcome(folder: Path) -> dict[str, object]:
    """Every finished run's network, byte for byte, and its metrics without the times."""
    found: dict[str, object] = {}
    for run in sorted(path for path in folder.iterdir() if path.name != "teacher_cache"):
        found[run.name] = [path.read_bytes() for path in (weights_in(run), run / "best.safetensors")], metrics(run)
    return found


def metrics(run: Path) -> list[dict[str, object]]:
    path = run / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def progress(folder: Path) -> dict[str, tuple[float, int]]:
    """The epochs and steps after which each run of a folder would go on; endless for a finished one."""
    found: dict[str, tuple[float, int]] = {}
    for run in (path for path in folder.glob("*") if path.name != "teacher_cache"):
        if (run / "result.json").is_file():
            found[run.name] = math.inf, 0
        elif (run / "state.pt").is_file():
            found[run.name] = cast(tuple[int, int], load_state(run / "state.pt")["position"])
    return found


def damage(folder: Path, before: Mapping[str, tuple[float, int]]) -> list[str]:
    """What is lost or broken in the runs of a folder, which had come so far before."""
    found = []
    for run in (path for path in folder.glob("*") if path.name != "teacher_cache"):
        for path in run.iterdir():
            try:
                if path.name.startswith("."):
                    continue  # a file that was being written
                if path.suffix in READERS:
                    READERS[path.suffix](path)
            except Exception as error:  # whatever it is
                found.append(f"{path}: {error}")
    for name, after in progress(folder).items():
        if after < before.get(name, (0, 0)):
            found.append(f"{name} was at {before[name]} and is at {after}")
        if after[0] < math.inf and len(metrics(folder / name)) < after[0]:
            found.append(f"{name} is at {after} and has too few measurements")
    return found + [f"{name} has vanished" for name in before if not (folder / name).is_dir()]


@dataclass
class Soak:
    """A command whose runs are ended again and again.

    Args:
        command: Its words, given the folder for runs.
        root: Where everything goes.
        kinds: What may happen to it.
        steps: Before which steps and writes it may.
    """

    command: Callable[[Path], list[str]]
    root: Path
    kinds: Sequence[Kind]
    steps: int = 20
    writes: int = 6

    def __post_init__(self) -> None:
        self.outputs = self.root / "said"
        assert in_a_process(self.command(self.root / "undisturbed"), self.outputs) == 0, self.outputs.read_text()
        self.expected = outcome(self.root / "undisturbed")
        self.happened: Counter[str] = Counter()
        self.completed, self.problems = 0, list[str]()

    def go(self, times: int, random_: random.Random) -> None:
        folder, left = self.root / "disturbed", times
        words = self.command(folder)
        while left or folder.is_dir():
            before = progress(folder)
            kind = random_.choice(self.kinds)
            at = random_.randrange(self.steps if kind in BY_STEP else self.writes)
            fault = Fault(kind, at, renamed=random_.random() < 0.5) if left else None
            code = in_a_process(words, self.outputs, fault)
            self.problems += damage(folder, before)
            if code == 0:  # it came to the end before that
                if outcome(folder) != self.expected:
                    self.problems.append(f"another outcome, last {fault}")
                self.completed += 1
                shutil.rmtree(folder)
            elif fault is None or code != fault.exit_code:
                self.problems.append(f"{fault} ended with {code}: {self.outputs.read_text()[-500:]}")
                shutil.rmtree(folder, ignore_errors=True)
                left = max(0, left - 1)
            else:
                if kind in SENTENCES and SENTENCES[kind] not in self.outputs.read_text():
                    self.problems.append(f"{fault} says {self.outputs.read_text()[-500:]}")
                self.happened[kind] += 1
                left -= 1


def in_memory(root: Path, capture: str = "auto") -> Soak:
    """A teacher that is trained first, and a room of two students."""
    nets = quick_net_file(root)

    def command(folder: Path) -> list[str]:
        words = f"distill --data digits --teacher {nets}:wide --student {nets}:small --methods CE,KD,AT --epochs 4"
        return f"{words} --batch_size 128 --lr 0.3 --folder {folder} --device cpu --capture {capture}".split()

    return Soak(command, root, ("killed", "killed writing", "terminated", "disk full", "read-only", "out of memory"))


def on_disk(root: Path, capture: str = "auto") -> Soak:
    """A student by itself, whose images are read by a process of their own."""
    nets, lot = quick_net_file(root), random.Random(0)
    for split, count in (("train", 30), ("val", 6)):
        for name in ("dark", "light"):
            (root / "images" / split / name).mkdir(parents=True)
            for i in range(count):
                shade = lot.randrange(100) + (100 if name == "light" else 0)
                Image.new("RGB", (72, 66), (shade,) * 3).save(root / "images" / split / name / f"{i}.png")

    def command(folder: Path) -> list[str]:
        words = f"train --data {root / 'images'} --image_size 32 --model {nets}:small --epochs 4 --workers 1"
        return f"{words} --batch_size 8 --lr 0.1 --folder {folder} --device cpu --capture {capture}".split()

    return Soak(command, root, ("worker dead", "killed"), steps=5)


def main_() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--capture", default="auto", choices=("auto", "on", "off"))
    options = parser.parse_args()
    problems = []
    for make, times in ((in_memory, options.times * 9 // 10), (on_disk, options.times - options.times * 9 // 10)):
        with tempfile.TemporaryDirectory() as root:
            soak = make(Path(root), options.capture)
            soak.go(times, random.Random(options.seed))
        problems += soak.problems
        counts = ", ".join(f"{kind} {count}" for kind, count in sorted(soak.happened.items()))
        print(
            f"{make.__name__}: ended {soak.happened.total()} times ({counts}); came to the end {soak.completed} times"
        )
    print("\n".join(problems) or "nothing was lost, no file is damaged, every end is that of an undisturbed run")
    raise SystemExit(1 if problems else 0)


if __name__ == "__main__":
    main_()

"""Interrupts a command at moments of its start-up, from its first function call to its first step.

    python -m tests.interrupts [--times 40]

Each time it must end with exit code 2 and one sentence, and leave nothing that keeps the same command from resuming.
Moments are counted in calls of Python functions, so that they are the same on every machine: steps that are timed
before the training are as few as can be, instead of as many as fit into half a second. The moments end with the first
step of the student, after the teacher was examined and memory was measured. The tests do the same a few times.
"""

import argparse
import os
import re
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from unittest.mock import patch

import torch

from stillhouse.__main__ import main
from stillhouse.training.optimizer import Optimizer
from tests.helpers.networks import quick_net_file
from tests.helpers.processes import exit_code

FIRST = 20  # calls; before that the command has not begun to read its words
SENTENCE = re.compile(
    r"stillhouse: (interrupted before it began|"
    r"(interrupted|stopped)[^\n]*; run the same command again to resume[^\n]*)\n"
)


class _Counter:
    """Counts calls of functions, and interrupts the process at one of them."""

    def __init__(self, at: int | None):
        self.at, self.calls = at, 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            self.calls += 1
            if self.calls == self.at:
                sys.setprofile(None)
                os.kill(os.getpid(), signal.SIGINT)


def _run(words: Sequence[str], at: int | None, folder: Path) -> None:
    counter, step = _Counter(at), Optimizer.step
    os.chdir(folder)  # the user's own, with the networks

    def first_step(self: Optimizer, terms: Mapping[str, torch.Tensor]) -> None:
        if at is None and "fit" in _callers():  # not of a trial
            (folder / "calls").write_text(str(counter.calls))
            os._exit(0)
        step(self, terms)

    for name, number in (("out", 1), ("err", 2)):  # also what is written past sys.stdout and sys.stderr
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
    with patch.object(Optimizer, "step", first_step):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.setprofile(counter)
        code = main(words)
        sys.setprofile(None)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _callers() -> set[str]:
    frame, names = sys._getframe(), set[str]()
    while frame.f_back is not None:
        frame = frame.f_back
        names.add(frame.f_code.co_name)
    return names


def interrupt(root: Path, times: int) -> list[str]:
    """Interrupt a distillation at so many moments; return what went wrong, a line each."""
    nets, problems = quick_net_file(root), list[str]()
    small = "--data digits --batch_size 128 --lr 0.3 --epochs 4 --device cpu"
    assert main(f"train --model {nets}:wide {small} --folder {root / 'teacher'}".split()) == 0
    (teacher,) = (root / "teacher").iterdir()
    words = f"distill --teacher {teacher} --student {nets}:small --methods CE,KD {small} --folder {root / 'runs'}"
    assert exit_code(_run, words.split(), None, root) == 0
    calls = int((root / "calls").read_text())
    for moment in range(times):
        at = FIRST + moment * (calls - 1 - FIRST) // max(times - 1, 1)
        code = exit_code(_run, words.split(), at, root)
        errors = (root / "err").read_text()
        if code != 2 or not SENTENCE.fullmatch(errors):
            problems.append(f"at call {at:,} of {calls:,} it ended with {code} and said {errors[-1500:]}")
    return problems


def main_() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        problems = interrupt(Path(root), options.times)
    print("\n".join(problems) or f"interrupted {options.times} times: exit code 2 and its sentence each time")
    raise SystemExit(1 if problems else 0)


if __name__ == "__main__":
    main_()

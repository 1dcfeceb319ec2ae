"""Compare what `stillhouse plan` says of a step with so many real steps of `stillhouse distill`, in alternation.

    python benchmarks/planned.py [--steps 100] [--rounds 3] DATA --teacher resnet56 --student resnet20 ...

The rest is for `plan`. A teacher without weights gets random ones, which take as long. Each round plans, trains, and
plans once more, since a machine's speed may drift. It prints the times of a step, with reading and the evaluations that
lie among them, and two ratios: of the plan before, and of the mean of both plans, which is less of the machine and more
of the plan. A ratio within 15 % of 1 is what is promised.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import save_file

_BEFORE = 5  # steps, in which memory is taken and processes start


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare a plan with real steps.", allow_abbrev=False)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", action="store_true", help="only take the steps, and print the seconds of one")
    asked, words = parser.parse_known_args()
    if asked.count:
        print(_seconds_of_a_step(words, asked.steps))
        return
    with tempfile.TemporaryDirectory() as name:
        ratios = [_round(Path(name) / str(number), words, asked.steps) for number in range(asked.rounds)]
    before, around = (statistics.median(column) for column in zip(*ratios, strict=True))
    print(f"median of {len(ratios)} ratios, planned / real: {before:.3f} planned before, {around:.3f} around")


def _round(folder: Path, words: Sequence[str], steps: int) -> tuple[float, float]:
    folder.mkdir(parents=True)
    words = [*words, *_weights(folder, words), "--folder", str(folder / "runs")]
    before, took = _planned(folder, words, steps)
    counting = [sys.executable, __file__, "--count", "--steps", str(steps), *words]
    real = float(subprocess.run(counting, check=True, capture_output=True, text=True).stdout.split()[-1])
    after, _ = _planned(folder, words, steps)
    ratios = before / real, (before + after) / 2 / real
    print(
        f"plan took {took:.0f} s; a step: planned {1000 * before:.4g} ms, {steps} real {1000 * real:.4g} ms each, "
        f"planned again {1000 * after:.4g} ms; planned / real {ratios[0]:.3f} before, {ratios[1]:.3f} around; load "
        f"{os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return ratios


def _planned(folder: Path, words: Sequence[str], steps: int) -> tuple[float, float]:
    """Return the seconds of a step with its share of evaluations as planned, and those that the plan took."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "stillhouse", "plan", *words, "--format", "svg"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    took = time.perf_counter() - began
    (table,) = (folder / "runs").glob("*-plan/hours.csv")
    row = {name: float(value) for name, value in next(csv.DictReader(table.open())).items() if name != "student"}
    each, in_epoch = row["seconds of a step"], int(row["steps of an epoch"])
    evaluations = (_BEFORE + steps) // in_epoch - _BEFORE // in_epoch  # that lie among these steps
    return each + evaluations * (row["seconds of an epoch"] - in_epoch * each) / steps, took


def _weights(folder: Path, words: Sequence[str]) -> list[str]:
    """Return options that give a teacher without weights random ones, for as many classes as the data have."""
    if "--teacher_weights" in words or Path(words[words.index("--teacher") + 1]).exists():
        return []
    from stillhouse import load, network

    size = int(words[words.index("--image_size") + 1]) if "--image_size" in words else None
    data = load(words[0], image_size=size, skip_broken=True)
    model = network(words[words.index("--teacher") + 1], len(data.classes), data.info.image_size)
    save_file(model.state_dict(), folder / "teacher.safetensors")
    return ["--teacher_weights", str(folder / "teacher.safetensors"), "--trust_teacher", "true"]


def _seconds_of_a_step(words: Sequence[str], steps: int) -> float:
    """Run `stillhouse distill` until so many steps are taken, and return the mean seconds of one."""
    from stillhouse.__main__ import main as stillhouse
    from stillhouse.training.classroom import Classroom

    times: list[float] = []
    train_step = Classroom.train_step

    def timed(*arguments: object) -> None:
        times.append(time.perf_counter())
        if len(times) > _BEFORE + steps:
            raise KeyboardInterrupt
        train_step(*arguments)  # type: ignore[arg-type] # its own arguments

    Classroom.train_step = timed  # type: ignore[method-assign, assignment] # for this process
    data, *others = words
    stillhouse(["distill", "--data", data, *others, "--teacher_cache", "off", "--skip_broken", "true"])
    if len(times) <= _BEFORE + steps:
        raise SystemExit(f"there were {len(times)} steps only; give more --epochs")
    return (times[-1] - times[_BEFORE]) / steps


if __name__ == "__main__":
    main()

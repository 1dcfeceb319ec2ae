"""Compare what `stillhouse plan` says of a step with so many real steps of `stillhouse distill`, in alternation.

    python benchmarks/planned.py [--steps 100] [--rounds 3] DATA --teacher resnet56 --student resnet20 ...

The rest is for `plan`. A teacher without weights gets random ones, which take as long. Each round prints both times of
a step, with reading and the evaluations that lie among them, their ratio and the machine's load; a ratio within 15 % of
1 is what is promised.
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
    print(f"median of {len(ratios)} ratios, planned / real: {statistics.median(ratios):.3f}")


def _round(folder: Path, words: Sequence[str], steps: int) -> float:
    folder.mkdir(parents=True)
    words = [*words, *_weights(folder, words), "--folder", str(folder / "runs")]
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "stillhouse", "plan", *words, "--format", "svg"], check=True, stdout=sys.stderr
    )
    took, load = time.perf_counter() - began, os.getloadavg()[0]
    (table,) = (folder / "runs").glob("*-plan/hours.csv")
    row = {name: float(value) for name, value in next(csv.DictReader(table.open())).items() if name != "student"}
    each, in_epoch = row["seconds of a step"], int(row["steps of an epoch"])
    evaluations = (_BEFORE + steps) // in_epoch  # that lie among these steps
    planned = each + evaluations * (row["seconds of an epoch"] - in_epoch * each) / steps
    counting = [sys.executable, __file__, "--count", "--steps", str(steps), *words]
    real = float(subprocess.run(counting, check=True, capture_output=True, text=True).stdout.split()[-1])
    print(
        f"plan took {took:.0f} s; a step: planned {1000 * planned:.4g} ms, {steps} real {1000 * real:.4g} ms each; "
        f"planned / real {planned / real:.3f}; load {load:.1f}",
        flush=True,
    )
    return planned / real


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

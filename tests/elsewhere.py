"""Measures finished runs on their own images after these moved: another folder, form, size or order of the classes.

    python -m tests.elsewhere [--times 50] [--seed 0]

`stillhouse evaluate` must give the number that the run ended with, or refuse, or say in a note what is not as it was.
The tests do the same a few times.
"""

import argparse
import io
import json
import random
import re
import shutil
import tempfile
from collections import Counter
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from stillhouse.__main__ import main
from stillhouse.training.teachers.weights_file import weights_in
from tests.helpers import moved
from tests.helpers.moved import Draw, Move, Sample, Samples
from tests.helpers.networks import quick_net_file

SMALL = "--epochs 3 --batch_size 16 --lr 0.05 --device cpu"
CLOSE = 2e-4  # of cross-entropies as they are printed
TRAIN, TEST = 20, 12  # images of each class
TRAININGS: dict[str, tuple[Draw, str]] = {  # what a run is trained on, and its options
    "plain": (moved.texture, ""),
    "small": (moved.texture, "--image_size 16"),
    "cropped": (moved.wide, ""),
    "squashed": (moved.wide, "--resize squash --image_size 20"),
    "padded": (moved.wide, "--resize pad --background #204060"),
    "see through": (moved.see_through, "--background black"),
    "twelve bits": (moved.deep, "--max_value 4095"),
    "one colour": (moved.flat, ""),
    "one colour, small": (moved.flat, "--image_size 16"),
    "validated": (moved.texture, "--validation 0.25"),
    "not split": (moved.texture, ""),
}
MOVES: tuple[Move, ...] = (
    moved.copied,
    moved.wrapped,
    moved.holdout_alone,
    moved.other_suffix,
    moved.decomposed,
    moved.parquet,
    moved.strings,
    moved.listed,
    moved.tars,
    moved.own_function,
    moved.enlarged,
    moved.another_name,
    moved.another_class,
)
REFUSED = (moved.another_name, moved.another_class)


def may_move(training: str, move: Move) -> bool:
    """Tell whether images of this kind can be moved so and stay what they are."""
    if move is moved.enlarged:
        return training.startswith("one colour")
    if move is moved.own_function:  # which gives pixels as they are
        return training in ("plain", "one colour", "validated")
    if move in (moved.wrapped, moved.holdout_alone):
        return training != "not split"
    return True


@dataclass(frozen=True)
class Number:
    """What evaluate printed of a network."""

    top1: float
    loss: float
    images: int

    @classmethod
    def read(cls, printed: str) -> "Number":
        top1 = re.search(r"^ .* (\d+\.\d\d) *$", printed, re.MULTILINE)
        rest = re.search(r"cross-entropy (\S+) +([\d,]+) images", printed)
        assert top1, printed
        assert rest, printed
        return cls(float(top1[1]), float(rest[1]), int(rest[2].replace(",", "")))

    def equals(self, other: "Number") -> bool:
        return (self.top1, self.images) == (other.top1, other.images) and abs(self.loss - other.loss) <= CLOSE


@dataclass
class Elsewhere:
    """Trains runs, moves their images and measures them there."""

    root: Path
    runs: dict[str, tuple[Path, str, Samples, Number]] = field(default_factory=dict)
    happened: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def go(self, times: int, lot: random.Random) -> None:
        pairs = [(training, move) for training in TRAININGS for move in MOVES if may_move(training, move)]
        lot.shuffle(pairs)
        for number in range(times):
            training, move = pairs[number % len(pairs)]
            self.judge(training, move, lot)

    def trained(self, training: str) -> tuple[Path, str, Samples, Number]:
        """Return the folder of a run, its network, its images, and what it measures on them."""
        if training not in self.runs:
            home = self.root / training.replace(" ", "_").replace(",", "")
            draw, options = TRAININGS[training]
            samples = drawn(draw, is_split=training != "not split")
            home.mkdir()
            moved.folders(home / "data", samples)
            networks = ["resnet8", f"{quick_net_file(home)}:small"]
            network = networks[len(self.runs) % 2]
            words = f"train --model {network} --data {home / 'data'} {options} {SMALL} --folder {home / 'runs'}"
            code, outcome, errors = said(words.split())
            assert code == 0, errors
            (run,) = (home / "runs").iterdir()
            with chdir(home):
                code, outcome, errors = said(["evaluate", str(run), "--device", "cpu"])
            assert code == 0, errors
            number = Number.read(outcome)
            top1 = json.loads((run / "result.json").read_text())["top1"]
            if abs(number.top1 - top1) > 0.005:
                self.problems.append(f"{training}: {number} on its own data, and {top1} when it ended: {errors}")
            self.runs[training] = run, network, samples, number
        return self.runs[training]

    def judge(self, training: str, move: Move, lot: random.Random) -> None:
        run, network, samples, then = self.trained(training)
        with tempfile.TemporaryDirectory(dir=self.root) as place:
            (images := Path(place) / "images").mkdir()
            data = move(images, samples, lot)
            how, model = self.named(run, network, Path(place), lot)
            with chdir(run.parent.parent):  # the user's own, with the file of the network
                code, outcome, errors = said(["evaluate", *model, "--data", str(data), "--device", "cpu"])
        what = f"{training}, {move.__name__}, {how}"
        notes = [
            line for line in outcome.splitlines() if line.startswith("note: ") and " takes images with " not in line
        ]
        if code == 2 and re.fullmatch(r"stillhouse: [^\n]+\n", errors):
            self.happened["refused"] += 1
            self.notes.append(f"{what}: {errors.strip()}")
        elif code or errors or move in REFUSED:
            self.problems.append(f"{what}: it ended with {code} and said {errors[-600:] or outcome[-600:]}")
        elif Number.read(outcome).equals(then):
            self.happened["the same"] += 1
        elif notes:
            self.happened["noted"] += 1
            self.notes.append(f"{what}: {Number.read(outcome)}, was {then}: {' '.join(notes)}")
        else:
            self.problems.append(f"{what}: {Number.read(outcome)}, was {then}, without a word")

    def named(self, run: Path, network: str, place: Path, lot: random.Random) -> tuple[str, list[str]]:
        """Name a run in one of the ways that there are."""
        elsewhere = shutil.copytree(run, place / "moved" / "my run") if lot.random() < 0.5 else run
        file = str(weights_in(elsewhere))
        ways = {
            "its folder": [str(elsewhere)],
            "its network and folder": [network, "--weights", str(elsewhere)],
            "its network and file": [network, "--weights", file],
        }
        if network == "resnet8":
            ways["its file"] = [file]
        how = lot.choice(list(ways))
        return how + (", moved" if elsewhere != run else ""), ways[how]


def drawn(draw: Draw, is_split: bool) -> Samples:
    noise = np.random.default_rng(0)
    samples = []
    for split, count in (("train", TRAIN), ("test", TEST)):
        for label, name in enumerate(moved.CLASSES):
            first = 0 if split == "train" else TRAIN
            numbers = range(first, first + count)
            samples += [Sample(split if is_split else "", name, number, draw(noise, label)) for number in numbers]
    return samples


def said(words: list[str]) -> tuple[int, str, str]:
    """Return a command's exit code and what it printed, in two parts."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = main(words)
    return code, out.getvalue(), err.getvalue()


def main_() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as root:
        elsewhere = Elsewhere(Path(root))
        elsewhere.go(options.times, random.Random(options.seed))
    print("\n".join(elsewhere.notes))
    print(", ".join(f"{what} {count}" for what, count in sorted(elsewhere.happened.items())))
    print("\n".join(elsewhere.problems) or "every number was the run's, or it was said why not")
    raise SystemExit(1 if elsewhere.problems else 0)


if __name__ == "__main__":
    main_()

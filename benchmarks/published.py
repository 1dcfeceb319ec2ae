"""Trains the published protocol's table in rooms: many methods under one teacher, each seed a room, minutes at a time.

    python benchmarks/published.py DATA [--teachers FOLDER] [--minutes 9] [--epochs 240] [--seeds 0,1,2]

For a GPU that is available for some minutes: after --minutes all students are saved, and the same command resumes from
there, until it says that all is done. The teachers are FOLDER's NAME.safetensors; one that is not there is trained
first, for as many epochs. Runs are kept in --folder; whatever is finished is written to results/published.csv.
"""

import argparse
import csv
import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import torch

from stillhouse.checkpoints import fingerprint
from stillhouse.data import Data, load
from stillhouse.distillation import Distillation
from stillhouse.methods import CE
from stillhouse.methods.parse import parse
from stillhouse.models.spec import NetworkSource
from stillhouse.taps import Tapped
from stillhouse.training.capture.classroom import Use
from stillhouse.training.classroom import Classroom
from stillhouse.training.compile import compile_classroom, keep_large_blocks
from stillhouse.training.config import TrainConfig
from stillhouse.training.loop import Stopped, fit
from stillhouse.training.memory import split_by_memory
from stillhouse.training.progress import Display
from stillhouse.training.run_folder import Run
from stillhouse.training.student import StudentTrainer
from stillhouse.training.teachers.located import locate
from stillhouse.training.teachers.teacher import prepare

PAIRS = "resnet56:resnet20,resnet32x4:resnet8x4"
METHODS = (  # each as its authors weigh it, those of logits by logits alone
    *("CE", "CE(weight=0.1), KD(weight=0.9)", "CE, AT", "CE, SP", "CE, RKD", "CE, PKT", "CE, VID", "CE, CRD"),
    *("CE, SemCKD", "CE, Ramped(DKD)", "CE, DSPP, KD", "CE(weight=0.1), Standardized(KD(weight=9, temperature=2))"),
)


def a_run(folder: Path, name: str, identity: dict[str, object]) -> Run:
    return Run(folder, name, identity, identity)


class Table:
    """What is to be trained, and where it stands.

    Args:
        options: Of the command line.
    """

    def __init__(self, options: argparse.Namespace):
        self.options, self.folder = options, Path(options.folder)
        self.device = torch.device(options.device)
        self.config = TrainConfig(epochs=options.epochs, precision=options.precision)
        self.display = Display()
        self.capture: Use = options.capture

    def data(self, seed: int) -> Data:
        return load(self.options.data, batch_size=self.config.batch_size, seed=seed)

    def teacher(self, name: str, data: Data) -> Tapped:
        """Return the one that is at hand, or train it."""
        file = Path(self.options.teachers) / f"{name}.safetensors"
        if not file.is_file():
            model = NetworkSource(name).build(data, seed=0)
            alone = Distillation(Tapped(model), None, [CE()], data.info)
            identity: dict[str, object] = {"network": name, "epochs": self.config.epochs}
            identity |= {"precision": self.config.precision, "data": data.fingerprint}
            run = a_run(self.folder / "teachers", name, identity)
            self.train(Classroom(None, [StudentTrainer(alone, self.config, run, name=name)]), data)
            file = run.weights
        return prepare(locate(NetworkSource(name, str(file))), data, self.device).net

    def train(self, room: Classroom, data: Data) -> None:
        if self.options.compile and (note := compile_classroom(room, self.device.type, graphs=False)):
            self.display.say(f"note: {note}")
        for part in split_by_memory(room, data.info, self.device, capture=self.capture):
            fit(part, data, self.device, self.display, capture=self.capture)

    def rooms(self) -> Iterator[tuple[str, int]]:
        """Train pair by pair and seed by seed; yield what is done."""
        for seed in map(int, self.options.seeds.split(",")):
            for pair in self.options.pairs.split(","):
                self.room(pair, seed)
                yield pair, seed

    def room(self, pair: str, seed: int) -> None:
        name, student = pair.split(":")
        data = self.data(seed)
        teacher = self.teacher(name, data)
        weights = fingerprint(teacher.model)
        trainers = []
        for methods in self.options.methods.split(";"):
            model = NetworkSource(student).build(data, seed)
            built = [spec.build() for spec in parse(methods)]
            identity = {"pair": pair, "methods": methods.strip(), "seed": seed, "teacher": weights}
            identity |= {"epochs": self.config.epochs, "precision": self.config.precision, "data": data.fingerprint}
            run = a_run(self.folder, f"{student}-from-{name}-{seed}", identity)
            if not run.is_done:
                taught = Distillation(Tapped(model), teacher, built, data.info)
                trainers.append(StudentTrainer(taught, self.config, run, identity, f"{student} {methods.strip()}"))
        if trainers:
            self.train(Classroom(teacher, trainers), data)

    def write(self) -> int:
        """Write what is finished; return how much that is."""
        rows = []
        for file in sorted(self.folder.glob("*/result.json")):
            result = json.loads(file.read_text())
            rows.append({name: result[name] for name in ("pair", "methods", "seed", "epochs", "top1", "device")})
        path = Path("results/published.csv")
        path.parent.mkdir(exist_ok=True)
        with path.open("w", newline="") as out:
            table = csv.DictWriter(out, ("pair", "methods", "seed", "epochs", "top1", "device"))
            table.writeheader()
            table.writerows(rows)
        return len(rows)


def between_rooms(number: int, frame: FrameType | None) -> None:
    raise Stopped("stopped between two rooms; run the same command again to resume")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="CIFAR-100, or a data set by name")
    parser.add_argument("--teachers", default="teachers")
    parser.add_argument("--folder", default="runs/published")
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--epochs", type=int, default=TrainConfig.epochs)
    parser.add_argument("--pairs", default=PAIRS)
    parser.add_argument("--methods", default="; ".join(METHODS), help="one student each, with ; between them")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--precision", default="bfloat16", choices=("float32", "bfloat16"))
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--capture", default="auto", choices=("auto", "on", "off"))
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, between_rooms)
    alarm = threading.Timer(60 * options.minutes, os.kill, (os.getpid(), signal.SIGTERM))
    alarm.daemon = True
    alarm.start()
    keep_large_blocks()
    table = Table(options)
    try:
        for pair, seed in table.rooms():
            print(f"{pair}, seed {seed}: done", flush=True)
        print(f"all is done: {table.write()} students in results/published.csv")
    except Stopped as stopped:
        print(f"{stopped}; {table.write()} students are finished")


if __name__ == "__main__":
    main()

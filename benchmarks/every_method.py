"""Trains every method of the catalogue a little on real images, for several pairs, and writes down what it cost.

    python benchmarks/every_method.py DATA [--pairs resnet56:resnet20,...] [--steps 20] [--fraction 0.1]

All methods of a pair see the same images and the same teacher, which is trained for --teacher_steps beforehand. The
loss, by term and with its weights in sum, is the mean over the last 5 steps; the seconds are the median of those that
student and loss took in a step. A method that a pair refuses is listed with its sentence. --methods takes others
instead, such as "SemCKD, KD; SpotAdaptive([KD, AT])". Results go to results/every_method.csv.
"""

import argparse
import csv
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from stillhouse.anatomy import Anatomy
from stillhouse.batch import Batch
from stillhouse.data import Data, load
from stillhouse.data.arrays import Arrays, from_arrays
from stillhouse.data.in_memory import InMemory
from stillhouse.distillation import Distillation
from stillhouse.methods import CE
from stillhouse.methods.parse import catalogue, parse
from stillhouse.models.create import network
from stillhouse.rng import stream
from stillhouse.taps import Outputs, Tapped
from stillhouse.training.classroom import Classroom
from stillhouse.training.compile import keep_large_blocks
from stillhouse.training.config import TrainConfig
from stillhouse.training.run_folder import Run
from stillhouse.training.student import StudentTrainer

PAIRS = "resnet32x4:resnet8x4,vgg13:MobileNetV2,ResNet50:vgg8,resnet32x4:ShuffleV2,timm:resnet26t:timm:mobilenetv2_035"
SHORT = {"AB": "AB(warmup_epochs=1)", "FT": "FT(warmup_epochs=1)", "FSP": "FSP(warmup_epochs=1)"}
LAST = 5  # steps, whose losses are written down
WARMUP_STEPS = 3  # of methods that train something beforehand
INSIDE = {"SpotAdaptive": "SpotAdaptive([KD, AT, SP])", "Bundle": "Bundle([KD, AT])"}


def part_of(data: Data, fraction: float, batch_size: int) -> Data:
    """A seeded part of the training images, in two views each, and a thousand test images."""
    keep = torch.randperm(len(data.train), generator=stream(0, "part"))[: round(fraction * len(data.train))]
    assert isinstance(data.train, InMemory)
    assert isinstance(data.test, InMemory)
    train, test = data.train.images[keep], data.test.images[:1000]
    labels = data.train.labels[keep], data.test.labels[:1000]
    source = f"{fraction:.0%} of {data.source}"
    arrays = Arrays(data.name, source, train, labels[0], test, labels[1], data.classes, data.mean, data.std)
    return from_arrays(arrays, batch_size=batch_size, seed=0, strong_view=True)


def expressions() -> list[str]:
    """Every method as its authors set it; wrappers around KD."""
    found = []
    for name in catalogue():
        try:
            parse(name)
            found.append(SHORT.get(name, name))
        except ValueError:
            found.append(INSIDE.get(name, f"{name}(KD)"))
    return found


def endless(data: Data) -> Iterator[Batch]:
    epoch = 0
    while True:
        yield from data.train.epoch(epoch, "cpu")
        epoch += 1


def trained_teacher(name: str, data: Data, steps: int, folder: Path) -> Tapped:
    net = Tapped(model := network(name, len(data.classes), 32), Anatomy.of(model, 32))
    trainer = StudentTrainer(
        Distillation(net, None, [CE()], data.info),
        TrainConfig(epochs=1, lr=0.02),
        Run(folder, "teacher", {"n": name}, {}),
    )
    room = Classroom(None, [trainer])
    room.to(torch.device("cpu"))
    trainer.begin_epoch()
    for _, batch in zip(range(steps), endless(data), strict=False):
        trainer.train_step(batch, None)
    return net


def trainer_for(methods: str, student: str, teacher: Tapped, data: Data, folder: Path) -> StudentTrainer:
    model = network(student, len(data.classes), 32)
    built = [method.build() for method in parse(methods)]
    distillation = Distillation(Tapped(model, Anatomy.of(model, 32)), teacher, built, data.info)
    return StudentTrainer(
        distillation, TrainConfig(epochs=10, lr=0.01), Run(folder, methods, {"m": methods}, {}), name=methods
    )


def measure(
    pair: str, data: Data, steps: int, teacher_steps: int, chosen: Sequence[str], folder: Path, room: int = 6
) -> Iterator[dict[str, object]]:
    """Runs the steps, and yields a row for each method."""
    half = pair.index(":", 6 if pair.startswith(("timm:", "torchvision:")) else 0)
    teacher_name, student = pair[:half], pair[half + 1 :]
    teacher = trained_teacher(teacher_name, data, teacher_steps, folder)
    for some in (chosen[i : i + room] for i in range(0, len(chosen), room)):  # for all at once memory is too small
        yield from _in_a_room(pair, student, teacher, data, steps, some, folder)


def _look(trainer: StudentTrainer, bad: dict[str, str]) -> None:
    if found := trainer.meter.first_not_finite():
        bad.setdefault(trainer.name, found[0])


def _in_a_room(
    pair: str, student: str, teacher: Tapped, data: Data, steps: int, chosen: Sequence[str], folder: Path
) -> Iterator[dict[str, object]]:
    trainers: list[StudentTrainer] = []
    for expression in chosen:
        methods = "CE" if expression == "CE" else f"CE, {expression.strip()}"
        try:
            trainers.append(trainer_for(methods, student, teacher, data, folder))
        except ValueError as refusal:
            yield {"pair": pair, "method": methods, "refused": str(refusal)}
    bad: dict[str, str] = {}  # the first term of each that was not finite
    spent: dict[str, list[float]] = {trainer.name: [] for trainer in trainers}
    failed: dict[str, str] = {}
    for trainer in trainers:
        trainer.train_step = _timed(trainer, spent[trainer.name], failed)  # type: ignore[method-assign]
    room = Classroom(teacher, trainers)
    room.to(torch.device("cpu"))
    for step, batch in zip(range(steps), endless(data), strict=False):
        for trainer in trainers:
            if step in (WARMUP_STEPS, max(steps - LAST, 0)):
                _look(trainer, bad)
                warmups = sum(phase.epochs for phase in trainer.phases[:-1])
                trainer.move_to(warmups if step >= WARMUP_STEPS else 0, trainer.step)  # its losses are summed anew
            trainer.begin_epoch()
        room.train_step(batch, [trainer for trainer in trainers if trainer.name not in failed])
    for trainer in trainers:
        row: dict[str, object] = {"pair": pair, "method": trainer.name, "steps": len(spent[trainer.name])}
        losses = trainer.meter.means()
        row |= {
            "loss": round(sum(losses.values()), 4) if losses else "",
            "terms": " ".join(f"{n}={v:.4g}" for n, v in losses.items()),
        }
        row["seconds_per_step"] = round(sorted(spent[trainer.name])[len(spent[trainer.name]) // 2], 4)
        _look(trainer, bad)
        if trainer.name not in failed and trainer.name in bad:
            failed[trainer.name] = f"{bad[trainer.name]} is not finite"
        yield row | {"failed": failed.get(trainer.name, "")}


def _timed(
    trainer: StudentTrainer, spent: list[float], failed: dict[str, str]
) -> Callable[[Batch, Outputs | None], None]:
    train_step = trainer.train_step

    def timed(batch: Batch, outputs: Outputs | None) -> None:
        began = time.perf_counter()
        try:
            train_step(batch, outputs)
        except (RuntimeError, ArithmeticError, ValueError) as failure:
            failed[trainer.name] = f"{type(failure).__name__}: {failure}"
        spent.append(time.perf_counter() - began)

    return timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--pairs", default=PAIRS)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--teacher_steps", type=int, default=80)
    parser.add_argument("--fraction", type=float, default=0.1)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--output", type=Path, default=Path("results/every_method.csv"))
    parser.add_argument("--methods", help="beside CE, separated by semicolons; all there are if left out")
    options = parser.parse_args()
    chosen = options.methods.split(";") if options.methods else expressions()
    keep_large_blocks()
    data = part_of(load(options.data), options.fraction, options.batch_size)
    options.output.parent.mkdir(exist_ok=True)
    columns = ["pair", "method", "steps", "loss", "seconds_per_step", "terms", "refused", "failed"]
    with options.output.open("a", newline="") as file, tempfile.TemporaryDirectory() as folder:
        table = csv.DictWriter(file, columns)
        if file.tell() == 0:
            table.writeheader()
        for pair in options.pairs.split(","):
            for row in measure(pair, data, options.steps, options.teacher_steps, chosen, Path(folder)):
                table.writerow(row)
                file.flush()
                print({key: value for key, value in row.items() if key != "terms"}, flush=True)


if __name__ == "__main__":
    main()

"""Times a step of training beside the textbook's: one pair of networks, one method.

    python benchmarks/step.py resnet56:resnet20 KD [--data PATH] [--blocks 5] [--steps 8]
        [--variants textbook,eager,compiled]

The variants (see `side_by_side.py`) do the same arithmetic in float32, at batch 64 on CIFAR-100:

    textbook    what one writes first: a DataLoader whose 8 workers crop and flip PIL images, networks as they come,
                losses as in `textbook.py`, loss and accuracy read after every step
    eager       `stillhouse distill --compile false`
    compiled    `stillhouse distill --compile true --capture off`, without the compiler's own CUDA graphs
    captured    `--compile true --capture on`: whole steps as CUDA graphs, on a CPU as repeated calls

Weights are random, which speed does not depend on; so are the images if no --data is given. The last line is `ratio R`,
the textbook's time over that of the fastest of ours; a row is added to results/speed.csv.
"""

import argparse
import copy
import csv
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import count
from pathlib import Path
from typing import Literal

import numpy as np
import textbook
import torch
import torch.nn.functional as F
from PIL import Image
from side_by_side import BUSY, Steps, Times, race
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from stillhouse.batch import Batch
from stillhouse.data import Data, load
from stillhouse.data.arrays import Arrays, from_arrays
from stillhouse.data.in_memory import InMemory
from stillhouse.distillation import Distillation
from stillhouse.methods.parse import parse
from stillhouse.models.create import network
from stillhouse.taps import Tapped, probe
from stillhouse.training.capture.classroom import Capture, captured
from stillhouse.training.classroom import Classroom
from stillhouse.training.compile import compile_classroom, keep_large_blocks
from stillhouse.training.config import TrainConfig
from stillhouse.training.run_folder import Run
from stillhouse.training.student import StudentTrainer

CLASSES, SIZE, NEGATIVES = 100, 32, 16384
METHODS = {"KD": "CE(weight=0.1), KD(weight=0.9)"}  # the others beside CE, with their own weights


@dataclass(frozen=True)
class Task:
    """What all variants do."""

    pair: str
    method: str
    data: str | None = None
    batch_size: int = 64
    threads: int = 1
    device: str = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"  # of teacher and students

    def networks(self) -> tuple[Tapped, Tapped]:
        half = self.pair.index(":", 6 if self.pair.startswith(("timm:", "torchvision:")) else 0)
        teacher, student = self.pair[:half], self.pair[half + 1 :]
        return Tapped(network(teacher, CLASSES, SIZE, seed=0)), Tapped(network(student, CLASSES, SIZE, seed=1))

    def load(self) -> Data:
        if self.data is not None:
            return load(self.data, batch_size=self.batch_size)
        draw = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (50_000, SIZE, SIZE, 3), dtype=torch.uint8, generator=draw)
        labels = torch.arange(50_000) % CLASSES
        names = tuple(str(i) for i in range(CLASSES))
        arrays = Arrays("made up", "noise", images, labels, images[:1000], labels[:1000], names)
        return from_arrays(arrays, batch_size=self.batch_size, seed=0)


def a_room(
    task: Task, compiled: bool, students: int = 1, memory_format: torch.memory_format = torch.channels_last
) -> tuple[Classroom, Data]:
    """With so many students, all alike; ready for a step."""
    torch.set_num_threads(task.threads)
    keep_large_blocks()
    data, (teacher, student) = task.load(), task.networks()
    folder, trainers, config = Path(tempfile.mkdtemp()), [], TrainConfig(precision=task.precision)
    teacher.precision = torch.bfloat16 if task.precision == "bfloat16" else None
    for number in range(students):
        methods = [method_specs.build() for method_specs in parse(METHODS.get(task.method, f"CE, {task.method}"))]
        distillation = Distillation(copy.deepcopy(student), teacher, methods, data.info)
        trainers.append(StudentTrainer(distillation, config, Run(folder, f"student {number}", {}, {})))
        trainers[-1].move_to(sum(phase.epochs for phase in trainers[-1].phases[:-1]))  # distillation itself
    room = Classroom(teacher, trainers)
    room.memory_format = memory_format
    note = compile_classroom(room, task.device, graphs=False) if compiled else None
    if note:
        raise SystemExit(note)
    room.to(torch.device(task.device))
    for trainer in trainers:
        trainer.begin_epoch()
        trainer.optimizer.doctor.stop(
            "it looks at five steps of a run, and three of them are among the first, timed here"
        )
    return room, data


def taught(room: Classroom, batches: Iterator[Batch], capture: Capture | None = None) -> Steps:
    trains = capture or room
    batches = trains.prefetch(batches)

    def steps(many: int) -> None:
        for _ in range(many):
            trains.train_step(next(batches), room.trainers)
        room.trainers[-1].check_finite()  # waits for the device

    return steps


def ours(
    task: Task,
    compiled: bool,
    graphs: bool = False,
    students: int = 1,
    memory_format: torch.memory_format = torch.channels_last,
) -> Steps:
    room, data = a_room(task, compiled, students, memory_format)
    capture = captured(room, task.batch_size, 1, torch.device(task.device), "on", print) if graphs else None
    return taught(room, (batch for epoch in count() for batch in data.train.epoch(epoch, task.device)), capture)


class Pictures(Dataset[tuple[Tensor, int, int, np.ndarray]]):
    """Images one by one, and CRD's negatives where it is asked for them."""

    def __init__(self, split: InMemory, contrast: bool):
        self.images, self.labels, self.contrast = split.images.numpy(), split.labels.numpy(), contrast
        steps = [transforms.RandomCrop(SIZE, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
        self.transform = transforms.Compose(
            [*steps, transforms.Normalize((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761))]
        )
        self.others = [np.flatnonzero(self.labels != label) for label in range(CLASSES)] if contrast else []

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int, int, np.ndarray]:
        image = self.transform(Image.fromarray(self.images[index]))
        label, candidates = int(self.labels[index]), np.array([index])
        if self.contrast:
            drawn = np.random.choice(self.others[label], NEGATIVES, replace=False)
            candidates = np.hstack([candidates, drawn])
        return image, label, index, candidates


def textbook_loss(task: Task, teacher: Tapped, student: Tapped, images: int) -> tuple[Callable[..., Tensor], nn.Module]:
    """(student's outputs, teacher's, indices, candidates) -> (), and what is trained along"""
    stages = [f"stage{i}" for i in range(1, 1 + min(len(net.anatomy.stages) for net in (teacher, student)))]
    t_stages = [f"stage{len(teacher.anatomy.stages) - len(stages) + i}" for i in range(1, 1 + len(stages))]
    places = {"AT": (stages, t_stages), "NST": (stages, t_stages), "SP": (["last_stage"], ["last_stage"])}
    places |= {name: (["embedding"], ["embedding"]) for name in ("RKD", "CRD", "PKT")}
    s_places, t_places = places.get(task.method, ([], []))
    student.tap(s_places)
    teacher.tap(t_places)
    layers = nn.ModuleList()
    if task.method == "CRD":
        layers.extend(nn.Linear(probe(net, SIZE)["embedding"].flatten(1).shape[1], 128) for net in (student, teacher))
        bound = 128**-0.5
        crd = textbook.CRD([torch.empty(images, 128, device=task.device).uniform_(-bound, bound) for _ in layers])
    weights = {"AT": 1000.0, "SP": 3000.0, "RKD": 1.0, "NST": 50.0, "PKT": 30000.0, "CRD": 0.8}

    def loss(s, t, indices: Tensor, candidates: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        if task.method == "KD":
            return 0.9 * textbook.kd(s.logits, t.logits)
        features, hints = [s[place] for place in s_places], [t[place] for place in t_places]
        if task.method == "CRD":
            vectors = [F.normalize(layer(f[0].flatten(1))) for layer, f in zip(layers, (features, hints), strict=True)]
            value = crd(*vectors, indices, candidates)
        elif task.method in ("AT", "NST"):
            value = getattr(textbook, task.method.lower())(features, hints)
        else:
            value = getattr(textbook, task.method.lower())(features[0], hints[0])
        return weights[task.method] * value

    if task.method != "KD" and task.method not in weights:
        raise SystemExit(f"textbook.py is used for KD, {', '.join(weights)} here, not for {task.method}")
    return loss, layers


def by_the_book(task: Task) -> Steps:
    torch.set_num_threads(task.threads)
    data, (teacher, student) = task.load(), task.networks()
    assert isinstance(data.train, InMemory)
    pictures = Pictures(data.train, contrast=task.method == "CRD")
    loader = DataLoader(pictures, task.batch_size, shuffle=True, num_workers=8)
    loss, layers = textbook_loss(task, teacher, student, len(pictures))
    for net in (teacher, student, layers):
        net.to(task.device)
    trained = [*student.parameters(), *layers.parameters()]
    optimizer = torch.optim.SGD(trained, 0.05, momentum=0.9, weight_decay=5e-4)
    teacher.eval()
    student.train()
    batches: Iterator[Sequence[Tensor]] = (batch for _ in count() for batch in loader)
    meters: list[float] = []

    def steps(many: int) -> None:
        for _ in range(many):
            images, labels, indices, candidates = (values.to(task.device) for values in next(batches))
            with torch.no_grad():
                hints = teacher(images)
            outputs = student(images)
            share = 0.1 if task.method == "KD" else 1.0
            total = share * F.cross_entropy(outputs.logits, labels) + loss(outputs, hints, indices, candidates)
            right = outputs.logits.topk(5, 1).indices == labels[:, None]
            meters.extend((total.item(), right[:, :1].float().mean().item(), right.float().sum(1).mean().item()))
            optimizer.zero_grad()
            total.backward()
            optimizer.step()

    return steps


def variants(task: Task) -> dict[str, Callable[[], Steps]]:
    return {
        "textbook": partial(by_the_book, task),
        "eager": partial(ours, task, compiled=False),
        "compiled": partial(ours, task, compiled=True),
        "captured": partial(ours, task, compiled=True, graphs=True),
    }


def show(task: Task, times: dict[str, Times]) -> float:
    """Prints the table and keeps it; returns the ratio."""
    base = times["textbook"].median
    for name, one in times.items():
        blocks = f"{1000 * min(one.blocks):.0f} to {1000 * max(one.blocks):.0f}"
        print(
            f"{name:10} {1000 * one.median:8.1f} ms a step ({blocks})  x {base / one.median:.2f}  "
            f"first step after {one.prepared:.1f} s, {one.peak:.0f} MB; others took {one.busy:.0%}"
        )
    if max(one.busy for one in times.values()) > BUSY:
        print(f"others took more than {BUSY:.0%} of the machine; repeat this when it is quiet")
    path = Path("results/speed.csv")
    path.parent.mkdir(exist_ok=True)
    is_new = not path.is_file()
    with path.open("a", newline="") as file:
        table = csv.writer(file)
        if is_new:
            table.writerow(
                ("date", "pair", "method", "device", "variant", "ms", "times_faster", "first_step_s", "MB", "foreign")
            )
        for name, one in times.items():
            row = f"{1000 * one.median:.1f} {base / one.median:.2f} {one.prepared:.1f} {one.peak:.0f} {one.busy:.2f}"
            table.writerow((date.today().isoformat(), task.pair, task.method, task.device, name, *row.split()))
    return base / min(one.median for name, one in times.items() if name != "textbook")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pair", help="teacher:student")
    parser.add_argument("method", nargs="?", default="KD")
    parser.add_argument("--data", help="a folder with CIFAR-100; noise if left out")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8, help="in a block")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--variants", help="textbook,eager,compiled when left out, and captured on a GPU")
    options = parser.parse_args()
    data = options.data and os.path.abspath(options.data)
    task = Task(options.pair, options.method, data, threads=options.threads, device=options.device)
    usual = "textbook,eager,compiled" + (",captured" if task.device == "cuda" else "")
    names = (options.variants or usual).split(",")
    if "textbook" not in names or len(names) < 2:
        parser.error("--variants: the textbook's and one of ours or more")
    chosen = {name: variants(task)[name] for name in names}
    where = f"{task.threads} threads, {task.device}"
    print(f"{task.pair} {task.method}, batch {task.batch_size}, {where}, {data or 'made-up images'}")
    print(f"ratio {show(task, race(chosen, options.steps, options.blocks)):.2f}")


if __name__ == "__main__":
    main()

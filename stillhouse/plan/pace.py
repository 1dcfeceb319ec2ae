"""The one estimate of how long a training takes: real steps of copies of the students, on real batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

import torch

from .. import distributed
from ..batch import Batch
from ..data import Data, Folder, Split
from ..export.latency import quantile
from ..modes import in_eval_mode
from ..rng import preserved
from ..taps import Outputs, Tapped
from ..training.classroom import Classroom, teacher_modes
from ..training.compile import keep_large_blocks
from ..training.memory import meter
from ..training.student import StudentTrainer

FORWARD = 0.35  # of a step's time, for evaluation, which has no backward pass, where nothing was measured
_SECONDS = 0.5  # of timed steps, for each network
_MOST, _LEAST = 200, 2  # timed steps
_FEW = 8  # images of a first step, which shows how long a whole one takes; slow networks are timed on a few of these
_BATCHES = 5  # that are read, at least


@dataclass(frozen=True)
class Pace:
    """Seconds of the parts of a training.

    Args:
        teacher: Of the teacher's forward pass in a step, once for all students.
        students: Of each student's own part of a step, by its label.
        steps: Steps of an epoch.
        reading: To read and augment a batch.
        evaluations: To measure each student after an epoch.
        begin: To begin an epoch: processes that read images start.
        overlaps: Batches are read while the device computes.
        timed: Steps that were timed of each student, at least.
        images: Images of a step that was timed; fewer than a batch of slow networks, whose times are multiplied.
        memory: Peak of this process's memory in bytes (GPU memory on a GPU), multiplied in the same way; 0 if it cannot
            be measured.
    """

    teacher: float
    students: Mapping[str, float] = field(default_factory=dict)
    steps: int = 1
    reading: float = 0.0
    evaluations: Mapping[str, float] = field(default_factory=dict)
    begin: float = 0.0
    overlaps: bool = False
    timed: int = 0
    images: int = 0
    memory: int = 0

    def step(self, labels: Collection[str], taught: float = 1.0) -> float:
        """Return the seconds of a step of students beside each other.

        Args:
            taught: Share of the teacher's outputs that are computed; the others are read from a cache.
        """
        computing = taught * self.teacher + sum(self._of(self.students, label) for label in labels)
        return max(computing, self.reading) if self.overlaps else computing + self.reading

    def epoch(self, labels: Collection[str], taught: float = 1.0) -> float:
        """Return the seconds of an epoch of students beside each other; `taught` as for `step`."""
        measuring = sum(self._of(self.evaluations, label) for label in labels)
        return self.begin + self.steps * self.step(labels, taught) + measuring

    def seconds(self, epochs: Mapping[str, int], taught: float = 1.0) -> float:
        """Return the seconds of these numbers of epochs of students beside each other; `taught` as for `step`."""
        total, done = 0.0, 0
        for until in sorted(set(epochs.values())):
            total += (until - done) * self.epoch([label for label, own in epochs.items() if own >= until], taught)
            done = until
        return total

    def of_an_epoch(self) -> Pace:
        """Return the same with an epoch as its only step: students with their evaluations, the teacher with reading."""
        shared = self.begin + self.steps * (self.teacher + (0.0 if self.overlaps else self.reading))
        students = {name: self.steps * own + self.evaluations.get(name, 0.0) for name, own in self.students.items()}
        return Pace(shared, students)

    def scaled(self, factor: float) -> Pace:
        """Return the pace of a training in which everything takes so many times as long."""
        students, evaluations = (
            {label: factor * value for label, value in known.items()} for known in (self.students, self.evaluations)
        )
        parts = {name: factor * getattr(self, name) for name in ("teacher", "reading", "begin")}
        return replace(self, students=students, evaluations=evaluations, **parts)

    def _of(self, known: Mapping[str, float], label: str) -> float:
        """Return the seconds of a student; the mean of all for one that was not measured."""
        return known.get(label, sum(known.values()) / max(len(known), 1))


def measured(
    teacher: Tapped | None,
    trainers: Mapping[StudentTrainer, str],
    data: Data,
    device: torch.device,
    seconds: float = _SECONDS,
    look: float | None = None,
) -> Pace:
    """Time the teacher and a copy of each student in a few steps, which leave no mark.

    Args:
        trainers: The students with their labels, before they are resumed; one that fails is left out.
        seconds: Time for the timed steps of each network; slow ones take a few steps however long they are.
        look: Seconds of the teacher in a step if they are known, from students of the same methods.
    """
    keep_large_blocks()
    memory = meter(device)
    is_metered = memory.begin()
    classroom = Classroom(teacher, list(trainers))
    classroom.on_failure = lambda trainer, error: None  # reported when it is trained
    classroom.to(device)
    students, evaluations, times = dict[str, float](), dict[str, float](), list[_Time]()
    held_out = data.validation or data.test
    with preserved():
        batches, reading, begin = _read(data.train, device)
        before = memory.used() if is_metered else 0
        batches = [classroom.laid_out(one) for one in batches if len(one.labels) == len(batches[0].labels)]
        modes = teacher_modes(trainers)
        looks = [partial(classroom.teacher_outputs, mode=mode) for mode in modes if mode != "none"]
        if look is None:
            look = sum(_timed(act, batches, device, seconds).seconds for act in looks)
        per_image = reading / max(len(batches[0].labels), 1)

        def measure(trainer: StudentTrainer) -> None:
            twin = trainer.twin()
            twin.move_to(sum(phase.epochs for phase in twin.phases[:-1]))  # distillation itself
            twin.begin_epoch()
            mode, known = twin.distillation.teacher_mode, dict[int, Outputs | None]()

            def train(batch: Batch) -> None:
                batch = replace(batch, epoch=float(twin.epoch))
                twin.train_step(batch, known[len(batch.labels)])

            def prepared(batch: Batch) -> Batch:
                known[len(batch.labels)] = classroom.teacher_outputs(batch, mode)
                return batch

            whole = batches if mode == "none" else batches[:1]
            times.append(_timed(train, whole, device, seconds, prepared))
            students[trainers[trainer]] = times[-1].seconds
            part = _some(batches[0], times[-1].images)
            looked = _once(partial(_forward, twin), part, device) / len(part.labels)
            beside = device.type == "cuda" and bool(_workers(held_out))
            each = max(looked, per_image) if beside else looked + per_image
            evaluations[trainers[trainer]] = len(held_out) * each + begin

        classroom.for_each(measure)
    overlaps = device.type == "cuda" and bool(_workers(data.train))
    timed, images = (min((getattr(one, name) for one in times), default=0) for name in ("count", "images"))
    used = (memory.peak() - before) * len(batches[0].labels) // max(images, 1) + before if is_metered else 0
    return Pace(look, students, data.train.steps, reading, evaluations, begin, overlaps, timed, images, used)


def _read(split: Split, device: torch.device) -> tuple[list[Batch], float, float]:
    """Return some batches of an epoch, the seconds of each, and those before the first beside its own.

    Processes that read take turns, so each hands over two batches.
    """
    workers = _workers(split)
    many = min(split.steps, max(_BATCHES, 1 + 2 * workers))
    began, times, batches = time.perf_counter(), list[float](), list[Batch]()
    for batch in islice(split.epoch(0, device), many or None):
        batches.append(batch)
        times.append(time.perf_counter() - began)
    each = times[0] if len(times) == 1 else (times[-1] - times[0]) / (len(times) - 1)
    return batches[:_BATCHES], each, max(0.0, times[0] - each * max(1, workers))


def _workers(split: Split) -> int:
    return split.workers if isinstance(split, Folder) else 0


@dataclass(frozen=True)
class _Time:
    """Seconds of a step, the number of times, and the images that it was timed on."""

    seconds: float
    count: int
    images: int


def _timed(
    act: Callable[[Batch], object],
    batches: Sequence[Batch],
    device: torch.device,
    seconds: float,
    prepared: Callable[[Batch], Batch] = lambda batch: batch,
) -> _Time:
    """Return the middle of the times of an action on whole batches; on parts of them, times as many, if it is slow.

    Args:
        prepared: Is called once for each size of batch, before its first use.
    """
    least = max(_FEW, 2 * distributed.world_size())  # BatchNorms need two images on each rank
    whole, few = len(batches[0].labels), prepared(_some(batches[0], least))
    _once(act, few, device)
    each = _once(act, few, device) / len(few.labels)
    images = whole
    while images > least and images * each > seconds:
        images = max(least, images // 2)
    parts = [_some(batch, images) for batch in batches] if images < whole else batches
    prepared(parts[0])
    for batch in _around(parts, 1 if images * each > 0.2 * seconds else 3):
        _once(act, batch, device)
    times: list[float] = []
    for batch in _around(parts, _MOST):
        times.append(_once(act, batch, device))
        if len(times) >= _LEAST and sum(times) > seconds:
            break
    return _Time(quantile(sorted(times), 0.5) * whole / images, len(times), images)


def _around(batches: Sequence[Batch], many: int) -> Iterator[Batch]:
    return (batches[number % len(batches)] for number in range(many))


def _once(act: Callable[[Batch], object], batch: Batch, device: torch.device) -> float:
    """Return the seconds that an action takes on a batch.

    It is the same number on all ranks, those of the slowest, because the steps that follow depend on it, and each rank
    must take as many.
    """
    began = time.perf_counter()
    act(batch)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return max(distributed.collect(time.perf_counter() - began))


def _some(batch: Batch, images: int) -> Batch:
    """Return a batch of the first images."""
    return batch.rows(torch.arange(min(images, len(batch.labels)), device=batch.labels.device))


@torch.no_grad()
def _forward(trainer: StudentTrainer, batch: Batch) -> None:
    with in_eval_mode(trainer.model):
        trainer.model(batch.images)

"""The timing of the parts of a training: real steps of copies of the students, on real batches."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, islice

import torch

from .. import distributed
from ..batch import Batch
from ..data import Data, Folder, Split
from ..distillation import TeacherMode
from ..rng import preserved
from ..taps import Outputs, Tapped
from ..training.classroom import Classroom, teacher_modes
from ..training.compile import keep_large_blocks
from ..training.memory import meter
from ..training.student import StudentTrainer
from .pace import Pace
from .twins import Timed, Twin, needed

_SECONDS = 0.5  # of timed steps, for each network
_MOST, _LEAST = 200, 2  # timed steps
_LONGEST, _PART = 0.5, 0.125  # seconds of a step, and of the time for a network: longer ones are timed on fewer images
_QUARTERS = 4  # of the time, between which the machine's speed is compared
_BATCHES, _READING = 5, 0.25  # that are read, at least; seconds of reading, as a share of those for a network
_SHARE = 0.5  # of the free memory, for copies of students: their steps need the other half
_GB = 1e9


def measured(
    teacher: Tapped | None,
    trainers: Mapping[StudentTrainer, str],
    data: Data,
    device: torch.device,
    seconds: float | None = None,
    look: float | None = None,
    budget: float | None = None,
) -> Pace:
    """Time the teacher and a copy of each student in steps that leave no mark.

    All take their turns, as in a training, so a machine that is slower for a while is so for all of them: for all whose
    copies fit into memory together. Times are means, since hours are sums of them.

    Args:
        trainers: The students with their labels, before they are resumed; one that fails is left out.
        seconds: Of timed steps for each network on average, by default half a second; slow ones take a few steps
            however long they are.
        look: Seconds of the teacher in a step if they are known, from students of the same methods.
        budget: Memory in GB that this process may use.
    """
    seconds = _SECONDS if seconds is None else seconds
    keep_large_blocks()
    memory = meter(device)
    is_metered = all(distributed.collect(memory.begin()))
    classroom = Classroom(teacher, list(trainers))
    classroom.on_failure = lambda trainer, error: None  # reported when it is trained
    classroom.to(device)
    with preserved():
        batches, reading, begin = _read(data.train, device, _READING * seconds)
        before, room = (memory.used(), _room(memory.free(), memory.used(), budget)) if is_metered else (0, None)
        batches = [classroom.laid_out(one) for one in batches if len(one.labels) == len(batches[0].labels)]
        trial = _Trial(classroom, batches, device, seconds)
        teaching = trial.of_teacher(teacher_modes(trainers) if look is None else [])
        groups = _together([*trainers], room)
        for number, group in enumerate(groups):
            trial.take_turns(teaching if number == 0 else [], group)
    twins = {label: trial.twins[trainer] for trainer, label in trainers.items() if trainer in trial.twins}
    held_out = data.validation or data.test
    beside = device.type == "cuda" and bool(_workers(held_out))
    size, images = len(batches[0].labels), min((twin.learning.images for twin in twins.values()), default=0)

    def evaluation(twin: Twin) -> float:
        parts = (twin.looking.seconds, reading)
        return len(held_out) * (max(parts) if beside else sum(parts)) / size + begin

    of_images = max(0, memory.peak() - before - trial.copied - trial.kept) if is_metered else 0
    return Pace(
        teacher=sum(one.seconds for one in teaching) if look is None else look,
        students={label: twin.learning.seconds for label, twin in twins.items()},
        steps=data.train.steps,
        reading=reading,
        evaluations={label: evaluation(twin) for label, twin in twins.items()},
        begin=begin,
        overlaps=device.type == "cuda" and bool(_workers(data.train)),
        timed=min((len(twin.learning.times) for twin in twins.values()), default=0),
        images=images,
        memory=before + trial.kept + of_images * size // max(images, 1) if is_metered else 0,
        drift=trial.drift,
    )


def _room(free: int, used: int, budget: float | None) -> float:
    """Return the bytes that copies of students may take, the same on all ranks; `budget` as for `measured`."""
    return _SHARE * min(distributed.collect(free if budget is None else min(free, budget * _GB - used)))


def _together(trainers: Sequence[StudentTrainer], room: float | None) -> Iterator[Sequence[StudentTrainer]]:
    """Yield the students in groups whose copies fit into memory together, of one student at least."""
    while trainers:
        sizes = accumulate(map(needed, trainers))
        count = len(trainers) if room is None else max(1, sum(size <= room for size in sizes))
        yield trainers[:count]
        trainers = trainers[count:]


@dataclass
class _Trial:
    """Networks that take steps on the same batches in turns.

    Args:
        seconds: As for `measured`.
        twins: The copies of the students that do not fail, by their students.
        copied: Bytes of the copies' weights and buffers, which a training has only once.
        kept: Bytes of gradients and momentum.
        drift: As in `Pace`.
    """

    classroom: Classroom
    batches: Sequence[Batch]
    device: torch.device
    seconds: float
    twins: dict[StudentTrainer, Twin] = field(default_factory=dict)
    copied: int = 0
    kept: int = 0
    drift: float = 0.0
    _outputs: dict[tuple[str, int], Outputs | None] = field(default_factory=dict)

    @property
    def longest(self) -> float:
        """Seconds of a step; slower networks are timed on fewer images."""
        return max(_LONGEST, _PART * self.seconds)

    def of_teacher(self, modes: Sequence[TeacherMode]) -> list[Timed]:
        """Return the teacher in each of these modes, ready to be timed."""
        acts = [partial(self.classroom.teacher_outputs, mode=mode) for mode in modes if mode != "none"]
        return [Timed.begun(act, self.batches, self.device, self.longest) for act in acts]

    def take_turns(self, teaching: Sequence[Timed], group: Sequence[StudentTrainer]) -> None:
        """Time the teacher and copies of these students, and free the copies."""
        own = dict[StudentTrainer, Twin]()

        def begin(trainer: StudentTrainer) -> None:
            own[trainer] = Twin(trainer, self.classroom, self._outputs)
            own[trainer].begin(self.batches, self.device, self.longest)

        def left() -> list[StudentTrainer]:
            return [trainer for trainer in group if trainer in self.classroom.trainers]

        self.classroom.for_each(begin, group)
        for done in range(_MOST):
            timed = [*teaching, *(own[trainer].learning for trainer in left())]
            if done >= _LEAST and sum(sum(one.times) for one in timed) > self.seconds * len(timed):
                break
            for one in teaching:
                one.once()
            self.classroom.for_each(lambda trainer: own[trainer].once(), left())
        self.drift = max(self.drift, _drift([one.times for one in timed]))
        self.twins |= {trainer: own[trainer] for trainer in left()}
        copied, kept = (sum(sizes) for sizes in zip((0, 0), *(own[one].kept() for one in left()), strict=True))
        self.copied, self.kept = max((self.copied, self.kept), (copied, kept))
        for twin in own.values():
            twin.free()


def _drift(times: Sequence[Sequence[float]]) -> float:
    """Return how much longer everything took in the slowest quarter of the turns than in the fastest, as a share."""
    turns = [sum(turn) for turn in zip(*times, strict=False)]
    size = len(turns) // _QUARTERS
    quarters = [statistics.median(turns[size * part : size * (part + 1)]) for part in range(_QUARTERS) if size > 1]
    return max(quarters) / min(quarters) - 1 if quarters else 0.0


def _read(split: Split, device: torch.device, seconds: float) -> tuple[list[Batch], float, float]:
    """Return some batches of an epoch, the seconds of each, and those before the first beside its own.

    Processes that read take turns, so each hands over two batches at least. More are read for so many seconds. Ranks
    read parts of each batch, so all read as many.
    """
    workers = max(distributed.collect(_workers(split)))
    began, times, batches = time.perf_counter(), list[float](), list[Batch]()
    for batch in islice(split.epoch(0, device), _MOST):
        batches += [batch] if len(batches) < _BATCHES else []
        times.append(max(distributed.collect(time.perf_counter() - began)))
        if len(times) >= max(_BATCHES, 1 + 2 * workers) and times[-1] - times[0] >= seconds:
            break
    each = times[0] if len(times) == 1 else (times[-1] - times[0]) / (len(times) - 1)
    return batches, each, max(0.0, times[0] - each * max(1, workers))


def _workers(split: Split) -> int:
    return split.workers if isinstance(split, Folder) else 0

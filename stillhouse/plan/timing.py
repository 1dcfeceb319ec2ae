"""The timing of the parts of a training: real steps of copies of the students, on real batches."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

import torch

from .. import distributed
from ..batch import Batch
from ..data import Data, Folder, Split
from ..modes import in_eval_mode
from ..rng import preserved
from ..taps import Outputs, Tapped
from ..training.classroom import Classroom, teacher_modes
from ..training.compile import keep_large_blocks
from ..training.memory import meter
from ..training.student import StudentTrainer
from .pace import Pace

_SECONDS = 0.5  # of timed steps, for each network
_MOST, _LEAST = 200, 2  # timed steps
_LONGEST, _PART = 0.5, 0.125  # seconds of a step, and of the time for a network: longer ones are timed on fewer images
_FEW = 8  # images of a first step, which shows how long a whole one takes; the fewest that slow ones are timed on
_ODD = 3.0  # times the middle of a network's steps: no step counts for more, because a short trial meets few such
_QUARTERS = 4  # of the time, between which the machine's speed is compared
_BATCHES, _READING = 5, 0.25  # that are read, at least; seconds of reading, as a share of those for a network


def measured(
    teacher: Tapped | None,
    trainers: Mapping[StudentTrainer, str],
    data: Data,
    device: torch.device,
    seconds: float | None = None,
    look: float | None = None,
) -> Pace:
    """Time the teacher and a copy of each student in steps that leave no mark.

    All take their turns, as in a training, so a machine that is slower for a while is so for all of them. Times are
    means, since hours are sums of them.

    Args:
        trainers: The students with their labels, before they are resumed; one that fails is left out.
        seconds: Of timed steps for each network on average, by default half a second; slow ones take a few steps
            however long they are.
        look: Seconds of the teacher in a step if they are known, from students of the same methods.
    """
    seconds = _SECONDS if seconds is None else seconds
    keep_large_blocks()
    memory = meter(device)
    is_metered = memory.begin()
    classroom = Classroom(teacher, list(trainers))
    classroom.on_failure = lambda trainer, error: None  # reported when it is trained
    classroom.to(device)
    held_out, longest = data.validation or data.test, max(_LONGEST, _PART * seconds)
    with preserved():
        batches, reading, begin = _read(data.train, device, _READING * seconds)
        before = memory.used() if is_metered else 0
        batches = [classroom.laid_out(one) for one in batches if len(one.labels) == len(batches[0].labels)]
        modes = teacher_modes(trainers) if look is None else []
        acts = [partial(classroom.teacher_outputs, mode=mode) for mode in modes if mode != "none"]
        teaching = [_Timed.begun(act, batches, device, longest) for act in acts]
        outputs, own = dict[tuple[str, int], Outputs | None](), dict[StudentTrainer, _Twin]()

        def begin_with(trainer: StudentTrainer) -> None:
            own[trainer] = _Twin(trainer, classroom, outputs)
            own[trainer].begin(batches, device, longest)

        classroom.for_each(begin_with)
        for done in range(_MOST):
            timed = [*teaching, *(own[trainer].learning for trainer in classroom.trainers)]
            if done >= _LEAST and sum(sum(one.times) for one in timed) > seconds * len(timed):
                break
            for one in teaching:
                one.once()
            classroom.for_each(lambda trainer: own[trainer].once())
    twins = {trainers[trainer]: own[trainer] for trainer in classroom.trainers}
    beside = device.type == "cuda" and bool(_workers(held_out))
    size, images = len(batches[0].labels), min((twin.learning.images for twin in twins.values()), default=0)

    def evaluation(twin: _Twin) -> float:
        parts = (twin.looking.seconds, reading)
        return len(held_out) * (max(parts) if beside else sum(parts)) / size + begin

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
        memory=(memory.peak() - before) * size // max(images, 1) + before if is_metered else 0,
        drift=_drift([one.times for one in timed]),
    )


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


class _Twin:
    """A copy of a student in the phase of distillation itself, whose steps leave no mark on the student.

    Args:
        outputs: The teacher's by mode and number of images, which all twins share.
    """

    def __init__(
        self, trainer: StudentTrainer, classroom: Classroom, outputs: dict[tuple[str, int], Outputs | None]
    ) -> None:
        self._twin, self._classroom, self._outputs = trainer.twin(), classroom, outputs
        self._twin.move_to(sum(phase.epochs for phase in trainer.phases[:-1]))
        self._twin.begin_epoch()
        self._mode = self._twin.distillation.teacher_mode

    def begin(self, batches: Sequence[Batch], device: torch.device, longest: float) -> None:
        """Get ready to be timed; `longest` as for `_Timed`."""
        taught = batches if self._mode == "none" else batches[:1]  # few outputs of the teacher are kept
        self.learning = _Timed.begun(self.train, taught, device, longest, self.prepare)
        self.look(self.learning.batches[0])
        self.looking = _Timed(self.look, self.learning.batches, device, self.learning.whole)

    def once(self) -> None:
        """Time a step, and the student alone."""
        self.learning.once()
        self.looking.once()

    def prepare(self, batch: Batch) -> None:
        """Keep the teacher's outputs for a batch; those for others of this size are taken to be the same."""
        key = self._mode, len(batch.labels)
        if key not in self._outputs:
            self._outputs[key] = self._classroom.teacher_outputs(batch, self._mode)

    def train(self, batch: Batch) -> None:
        batch = replace(batch, epoch=float(self._twin.epoch))
        self._twin.train_step(batch, self._outputs[self._mode, len(batch.labels)])

    @torch.no_grad()
    def look(self, batch: Batch) -> None:
        """Run the student alone, as an evaluation does."""
        with in_eval_mode(self._twin.model):
            self._twin.model(batch.images)


@dataclass(frozen=True)
class _Timed:
    """The times of an action on whole batches, or on parts of them if it is slow.

    Args:
        whole: Images of a whole batch.
    """

    act: Callable[[Batch], object]
    batches: Sequence[Batch]
    device: torch.device
    whole: int
    times: list[float] = field(default_factory=list)

    @classmethod
    def begun(
        cls,
        act: Callable[[Batch], object],
        batches: Sequence[Batch],
        device: torch.device,
        longest: float,
        prepare: Callable[[Batch], object] = lambda batch: None,
    ) -> _Timed:
        """Return it ready to be timed, after what is done once.

        Args:
            longest: Seconds that it may take; a slower one is timed on fewer images.
            prepare: Is called once for each size of batch, before its first use.
        """
        least = max(_FEW, 2 * distributed.world_size())  # BatchNorms need two images on each rank
        whole, few = len(batches[0].labels), _some(batches[0], least)
        prepare(few)
        first = cls(act, [few], device, len(few.labels))
        first.once()
        first.once()
        images, each = whole, first.times[-1] / len(few.labels)
        while images > least and images * each > longest:
            images = max(least, images // 2)
        parts = [_some(batch, images) for batch in batches] if images < whole else batches
        prepare(parts[0])
        warm = cls(act, parts, device, whole)
        for _ in range(1 if images * each > 0.2 * longest else 3):
            warm.once()
        return cls(act, parts, device, whole)

    @property
    def images(self) -> int:
        """Number of images that it is timed on, which may be fewer than `whole`."""
        return len(self.batches[0].labels)

    @property
    def seconds(self) -> float:
        """Seconds for a whole batch, the mean of all times."""
        most = _ODD * statistics.median(self.times)
        return statistics.fmean(min(one, most) for one in self.times) * self.whole / self.images

    def once(self) -> None:
        """Time it on the next batch.

        The time is the same number on all ranks, that of the slowest, because the steps that follow depend on it, and
        each rank must take as many.
        """
        batch, began = self.batches[len(self.times) % len(self.batches)], time.perf_counter()
        self.act(batch)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.times.append(max(distributed.collect(time.perf_counter() - began)))


def _some(batch: Batch, images: int) -> Batch:
    """Return a batch of the first images."""
    return batch.rows(torch.arange(min(images, len(batch.labels)), device=batch.labels.device))

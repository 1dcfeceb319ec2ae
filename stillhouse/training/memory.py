"""Students split into as few classrooms as memory allows, measured by letting each take a step."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from .. import distributed
from ..batch import Batch, DataInfo
from ..modes import in_eval_mode
from ..rng import preserved, stream
from .capture.classroom import Capture, Use, captured
from .classroom import Classroom
from .evaluation import batch_size
from .stop_signals import Stopped, StopSignals
from .student import StudentTrainer

SHARE = 0.9  # of the free memory, for training
_GB = 1e9


def split_by_memory(
    classroom: Classroom,
    data: DataInfo,
    device: torch.device,
    budget: float | None = None,
    capture: Use = "auto",
    share: float = 1.0,
) -> Iterator[Classroom]:
    """Yield the students in as few classrooms as memory allows, to be trained one after another.

    If there are several students, each takes a step on made-up images that is undone, while the gradients and momentum
    of the students before it stay in memory. The peak is then that of the training to come, to within a tenth, because
    memory fragments. The split changes only the time, since a student is the same in every classroom. A single student
    is trained however much memory it takes.

    CUDA graphs keep the memory of their step for themselves, while students without them use the same memory in turn.
    So where graphs will be captured, each student takes a second step on its graph's stream, whose memory PyTorch keeps
    apart in the same way. This approximates the graph, which is not captured here: the figure does not include the
    copies of the batch and the teacher's outputs that graphs read, nor CUDA's own memory for a graph.

    Args:
        classroom: All students, before their first step, and their teacher.
        budget: Memory in GB that this process may use: GPU memory on a GPU, main memory on a CPU. By default nine
            tenths of the free memory.
        capture: As for `fit`.
        share: Of the budget, given or measured, for a room that ran out of memory before.

    Raises:
        Stopped: If a signal asks for it.
    """
    memory = meter(device)
    steps = classroom.epochs * math.ceil(len(data.labels) / data.batch_size)
    graphs = captured(classroom, data.batch_size, steps, device, capture, lambda line: None)
    parts = _plan(classroom, data, memory, budget, graphs, share)
    for part in parts:
        yield part
        if part is not parts[-1]:
            _unload(part)
            memory.begin()


def _plan(
    classroom: Classroom,
    data: DataInfo,
    memory: _GPU | _Resident,
    budget: float | None,
    graphs: Capture | None,
    share: float,
) -> list[Classroom]:
    """Measure the students one after another, and return all classrooms."""
    parts, waiting, batch = [], classroom.trainers, made_up_batch(data, memory.device)
    while waiting:
        if len(classroom.trainers) == 1 or not all(distributed.collect(memory.begin())):  # one, or no way to measure
            return [classroom]
        limit = memory.used() + SHARE * share * memory.free() if budget is None else budget * share * _GB
        fitting = max(1, _count_fitting(classroom, waiting, batch, memory, limit, graphs))
        parts.append(classroom.part(waiting[:fitting]))
        waiting = waiting[fitting:]
        if len(parts) > 1 or waiting:
            _unload(classroom)
    return parts


def _unload(classroom: Classroom) -> None:
    """Free memory for other students."""
    for trainer in classroom.trainers:
        trainer.free_step_memory()
        trainer.distillation.to("cpu")


def _count_fitting(
    classroom: Classroom,
    waiting: Sequence[StudentTrainer],
    batch: Batch,
    memory: _GPU | _Resident,
    limit: float,
    graphs: Capture | None,
) -> int:
    """Count how many of the waiting students, from the first on, fit into memory together."""
    count = 0
    with preserved(), StopSignals() as stop:
        for trainer in waiting:
            beside = graphs.students[trainer].beside() if graphs else None
            fits = _fits(classroom.part(waiting[: count + 1]), trainer, batch, memory, limit, beside)
            if stop.requested:
                raise Stopped("stopped before the first step; run the same command again to resume")
            if not fits:
                break
            count += 1
    for trainer in waiting:
        trainer.free_step_memory()
    return count


def _fits(
    part: Classroom,
    trainer: StudentTrainer,
    batch: Batch,
    memory: _GPU | _Resident,
    limit: float,
    beside: AbstractContextManager[None] | None,
) -> bool:
    """Try the last of these students beside the others, which have already taken their trial step."""
    part.to(batch.images.device)
    try:
        for _ in range(3 if part.replays else 1):  # CUDA graphs: warm-up, capture, replay
            part.trial_step(batch, trainer)
        if beside:
            with beside:
                part.trial_step(batch, trainer)
        _evaluate(trainer, batch)
    except Exception as error:
        full = isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)
        if not full and part.on_failure:  # it is told when the student is trained
            return True
        if not full or distributed.world_size() > 1:  # the others would wait for this one
            raise
        return False
    return all(distributed.collect(memory.peak() <= limit))


@torch.no_grad()
def _evaluate(trainer: StudentTrainer, batch: Batch) -> None:
    times = batch_size(len(batch.images)) // len(batch.images)
    model = trainer.model
    with in_eval_mode(model):
        model(batch.images.repeat(times, 1, 1, 1))


def made_up_batch(data: DataInfo, device: torch.device) -> Batch:
    """Return a batch of the size that training will use."""
    count = min(data.batch_size, len(data.labels))
    rows = torch.arange(count) * (len(data.labels) // count)
    images = torch.randn(count, 3, data.image_size, data.image_size, generator=stream(data.seed, "rehearsal"))
    images = images.to(device, memory_format=torch.channels_last)
    strong = images if data.strong_view else None
    return Batch(images, data.labels[rows.to(data.labels.device)].to(device), rows.to(device), strong=strong)


def meter(device: torch.device) -> _GPU | _Resident:
    """Return what measures the memory of this process: on a GPU that of PyTorch there."""
    return _GPU(device) if device.type == "cuda" else _Resident()


class _GPU:
    """The GPU memory that PyTorch has allocated for this process."""

    def __init__(self, device: torch.device):
        self.device = device

    def begin(self) -> bool:
        """Forget the peak so far; return False if memory cannot be measured."""
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self.device)
        return True

    def used(self) -> int:
        return torch.cuda.memory_reserved(self.device)

    def peak(self) -> int:
        return torch.cuda.max_memory_reserved(self.device)

    def free(self) -> int:
        return torch.cuda.mem_get_info(self.device)[0]


class _Resident:
    """The main memory that this process uses, as Linux counts it."""

    device = torch.device("cpu")
    _PROCESS, _GROUPS = Path("/proc/self"), Path("/sys/fs/cgroup")

    def begin(self) -> bool:
        """Forget the peak so far; return False if memory cannot be measured."""
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
        if trim is not None:
            trim(0)
        try:
            (self._PROCESS / "clear_refs").write_text("5")
        except OSError:
            return False
        return True

    def used(self) -> int:
        return _bytes(self._PROCESS / "status", "VmRSS:")

    def peak(self) -> int:
        return _bytes(self._PROCESS / "status", "VmHWM:")

    def free(self) -> int:
        """Return this process's share of the free memory: the machine's, or that of its most limited container."""
        free = [_bytes(Path("/proc/meminfo"), "MemAvailable:"), *self._free_in_groups()]
        return min(free) // distributed.on_this_machine()

    def _free_in_groups(self) -> Iterator[int]:
        try:
            own = (self._PROCESS / "cgroup").read_text().rpartition("0::")[2].strip().lstrip("/")
        except OSError:
            return
        for group in (self._GROUPS / own, *(self._GROUPS / own).parents):
            try:  # its limit, and its use without copies of files
                limit, current = (int((group / f"memory.{what}").read_text()) for what in ("max", "current"))
                yield limit - current + _number(group / "memory.stat", "inactive_file")
            except (OSError, ValueError):  # there is no limit
                continue


def _number(file: Path, name: str) -> int:
    (found,) = (words.split() for words in file.read_text().splitlines() if words.split()[0] == name)
    return int(found[1])


def _bytes(file: Path, name: str) -> int:
    return _number(file, name) * 1024

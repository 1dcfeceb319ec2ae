"""`stillhouse cache`: a teacher's outputs for all views of all images, computed before students learn from them."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ..anatomy import Anatomy
from ..ranges import Count, NonNegative, check_options
from ..training.cache.store import CacheStore, CacheUnavailable, open_cache
from ..training.cache.teacher_cache import TeacherCache
from ..training.classroom import Classroom
from ..training.config import TrainConfig
from ..training.progress import Display, duration
from ..training.teachers.examine import examine
from ..training.teachers.located import about_place, locate, place_of
from ..training.teachers.teacher import prepare
from .config import CompileOptions, DeviceOptions, PrecisionOptions
from .data_options import DataOptions, SplitOptions, note_on_reading, reading_of
from .networks import TeacherOptions
from .train import speed_up

_PLAIN_EVERY = 60.0  # seconds between two lines without a terminal


@dataclass(frozen=True)
class FillOptions:
    """Teacher whose outputs to cache.

    Args:
        teacher: The folder of a finished run, or a network as for `stillhouse distill`.
        teacher_weights: A file with the teacher's trained weights, or `pretrained` for timm's or torchvision's own.
        teacher_anatomy: Override the detected layer names of the teacher.
        embedding: Also cache the input of its classifier, for methods such as CRD.
        folder: Folder of the runs that will use the cache.
        batch_size: Batch size of the runs that will use the cache.
        cache_budget: Disk space in GB for all teacher caches in --folder; by default 4, or a tenth of the free space if
            that is less.
    """

    teacher: str
    teacher_weights: str | None = None
    teacher_anatomy: Anatomy | None = None
    embedding: bool = False
    folder: Path = Path("runs")
    batch_size: Count = TrainConfig.batch_size
    cache_budget: NonNegative | None = None

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class Fill:
    """Cache a teacher's outputs for every view of every image, for later `distill`s with the same --folder,
    --batch_size and --device."""

    cache: FillOptions
    knowledge: TeacherOptions
    data: DataOptions
    split: SplitOptions
    device: DeviceOptions
    compilation: CompileOptions
    precision: PrecisionOptions

    @staticmethod
    def implied(values: Mapping[str, Any], typed: Collection[str]) -> Mapping[str, object]:
        """Return the options by which the teacher's images were read."""
        return reading_of(about_place(place_of(values["teacher"], values["teacher_weights"])))


def fill(command: Fill, display: Display) -> None:
    asked, device = command.cache, command.device.torch_device()
    found = locate(command.knowledge.source(asked.teacher, asked.teacher_weights, asked.teacher_anatomy))
    if not found.source.weights:
        raise ValueError(
            f"{found.given} is a network without weights; give its --teacher_weights, or the folder of a run"
        )
    data = command.data.load(display, command.split, batch_size=asked.batch_size, expected=found.input)
    found = replace(found, source=command.knowledge.for_data(found.source, data))
    display.note(note_on_reading(found.source.short, found.about, command.data))
    teacher = prepare(found, data, device, say=display.note)
    if teacher.net.foreign_logits:
        raise ValueError(f"the teacher {teacher.name} {teacher.net.foreign_logits}; its outputs are useless here")
    examine(teacher, command.precision.dtype, device, data, display, command.knowledge.trust_teacher)
    readers = {"logits": "every method"} | ({"embedding": "--embedding"} if asked.embedding else {})
    teacher.net.tap(readers)
    room = Classroom(teacher.net, [])
    speed_up(room, command.compilation.compile, device.type, display)
    room.to(device)
    store = CacheStore(asked.folder / "teacher_cache", "on", asked.cache_budget)
    try:
        cache = open_cache(store, teacher.net, readers, data, epochs=1)
    except CacheUnavailable as why:
        raise ValueError(f"the outputs of {teacher.short} cannot be cached: {why}") from None
    display.say(f"teacher {teacher.short}: {cache.count:,} outputs, {cache.folder}")
    _fill(cache, display)
    display.say(f"complete: {cache.count:,} outputs")


def _fill(cache: TeacherCache, display: Display) -> None:
    """Write the missing outputs, with a progress bar on a terminal and an occasional line elsewhere."""
    began = last = time.perf_counter()
    first = None
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=display.console, transient=True, disable=not display.console.is_terminal) as bar:
        task = bar.add_task("outputs", total=cache.count)
        for done in cache.fill():
            bar.update(task, completed=done)
            now, first = time.perf_counter(), done if first is None else first
            if now - last > _PLAIN_EVERY and not display.console.is_terminal:
                last = now
                left = (cache.count - done) * (now - began) / max(done - first, 1)
                display.say(f"{done:,} of {cache.count:,} outputs  {duration(left)} left")

"""`stillhouse cache`: a teacher cache that is filled at once, before anybody learns from it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ..anatomy import Anatomy
from ..data import Data
from ..models.spec import NetworkSource
from ..training.cache_store import CacheUnavailable, open_cache
from ..training.classroom import Classroom
from ..training.compile import compile_room, keep_large_blocks
from ..training.config import TrainConfig
from ..training.progress import Display, duration
from ..training.teacher import examine
from .build import Setting
from .commands import DistillOptions, teacher_for

_PLAIN_EVERY = 60.0  # seconds between two lines where there is no terminal


@dataclass(frozen=True)
class FillOptions:
    """Whose answers to write down.

    Args:
        teacher: The folder of a finished run, or a network as for `stillhouse distill`.
        teacher_weights: A file with the teacher's trained weights, or `pretrained` for timm's or torchvision's own.
        teacher_anatomy: Where the teacher's landmarks are, if they are to be other than found.
        embedding: Also what its classifier reads, for methods such as CRD.
    """

    teacher: str
    teacher_weights: str | None = None
    teacher_anatomy: Anatomy | None = None
    embedding: bool = False


def fill(options: FillOptions, setting: Setting, recipe: TrainConfig, data: Data, display: Display) -> None:
    """Write down what a trained teacher says about every view of every image, for later `distill`s with the same
    --folder, --batch_size and --device."""
    device, shelf = setting.torch_device(), setting.shelf
    if shelf is None:
        raise ValueError("--teacher_cache off keeps nothing; leave that out")
    asked = DistillOptions(
        teacher=options.teacher, teacher_weights=options.teacher_weights, teacher_anatomy=options.teacher_anatomy
    )
    source = NetworkSource(options.teacher, options.teacher_weights)
    teacher = teacher_for(asked, source, setting, recipe, data, display, may_train=False)
    examine(teacher, setting, data, display)
    readers = {"logits": "every method"} | ({"embedding": "--embedding"} if options.embedding else {})
    teacher.net.tap(readers)
    room = Classroom(teacher.net, [])
    keep_large_blocks()
    note = compile_room(room, device.type) if setting.compile else None
    if note:
        display.say(f"note: {note}")
    room.to(device)
    try:
        cache = open_cache(replace(shelf, use="on"), teacher.net, readers, data, epochs=1)
    except CacheUnavailable as why:
        raise ValueError(f"the answers of {teacher.short} cannot be kept: {why}") from None
    display.say(f"teacher {teacher.short}: {cache.count:,} answers, {cache.folder}")
    began = last = time.perf_counter()
    first = None
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=display.console, transient=True, disable=not display.console.is_terminal) as bar:
        task = bar.add_task("answers", total=cache.count)
        for done in cache.fill():
            bar.update(task, completed=done)
            now, first = time.perf_counter(), done if first is None else first
            if now - last > _PLAIN_EVERY and not display.console.is_terminal:
                last = now
                left = (cache.count - done) * (now - began) / max(done - first, 1)
                display.say(f"{done:,} of {cache.count:,} answers  {duration(left)} left")
    display.say(f"complete: {cache.count:,} answers")

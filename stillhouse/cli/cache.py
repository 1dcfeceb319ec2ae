"""`stillhouse cache`: a teacher's outputs for all views of all images, computed before students learn from them."""

from __future__ import annotations

from dataclasses import replace

from ..training.cache.store import CacheStore, CacheUnavailable, open_cache
from ..training.cache.teacher_cache import TeacherCache
from ..training.classroom import Classroom
from ..training.progress import Display
from ..training.teachers.examine import examine
from ..training.teachers.located import locate
from ..training.teachers.places import without_weights
from ..training.teachers.teacher import prepare
from .groups.data import note_on_reading
from .options.cache import Fill
from .summary.counting import counting
from .train import speed_up


def fill(command: Fill, display: Display) -> None:
    asked, device = command.cache, command.device.torch_device()
    found = locate(command.knowledge.source(asked.teacher, asked.teacher_weights, asked.teacher_anatomy))
    if not found.source.weights:
        raise ValueError(without_weights(found.given, "--teacher_weights"))
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
    with counting(display, "outputs", cache.count) as done:
        for count in cache.fill():
            done(count)

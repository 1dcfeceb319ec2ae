"""The trainings that a plan is made of, measured by a few of their steps."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

import torch

from ...data import Data
from ...plan.courses import Course, cache_of
from ...plan.pace import Pace
from ...plan.timing import measured
from ...training.classroom import Classroom
from ...training.compile import compile_classroom
from ...training.progress import Display
from ...training.student import StudentTrainer
from ...training.teachers.teacher import Teacher
from ..distill import Opened
from ..options.distill import Distill
from .planned import ALONE, Planned, built

_STEPS, _FEWEST = 12.0, 0.1  # seconds of timed steps for each network: at most, as a machine's speed varies; at least
_OTHERWISE, _CHANGED = 3.0, 1.0  # seconds of timed steps for each network: compiled, and with other settings


def courses_of(
    plans: Sequence[Planned],
    shared: Opened,
    teacher: Teacher,
    untrained: StudentTrainer | None,
    device: torch.device,
    end: float,
) -> list[Course]:
    """Measure the training of the students of each network.

    Args:
        untrained: The teacher, if it is trained first.
        end: Time by which all should be measured.
    """
    alike = [1 + len(one.trainers) for one in plans]  # the teacher as well
    each = _share(end, sum(alike) + 1)
    first = None if untrained is None else measured(None, {untrained: ALONE}, shared.data, device, each)
    found = list[Course]()
    for number, one in enumerate(plans):
        known = found[0].pace.teacher if found else None  # the methods of all students are the same
        found.append(_course(one, shared, teacher, first, device, _share(end, sum(alike[number:])), known))
    return found


def _share(until: float, networks: int) -> float:
    """Return the seconds of timed steps for each of so many networks; about as many go by beside them."""
    return max(_FEWEST, min(_STEPS, (until - time.perf_counter()) / (2 * networks)))


def _course(
    one: Planned,
    shared: Opened,
    teacher: Teacher,
    first: Pace | None,
    device: torch.device,
    seconds: float,
    look: float | None = None,
) -> Course:
    """Measure the training of a network's students; `look` as for `measured`."""
    data, command = shared.data, one.command
    labels = {trainer: label for label, trainer in one.trainers.items()}
    pace = measured(teacher.net, labels, data, device, seconds, look)
    if len(pace.students) < len(one.trainers):
        failed = next(label for label in one.trainers if label not in pace.students)
        raise ValueError(f"a step of {one.name} {failed} fails; stillhouse distill says why")
    epochs, trainers = command.run.config.epochs, list(one.trainers.values())
    held_out = len(data.validation or data.test) / max(1, data.train.batch_size)
    return Course(
        one.name,
        pace,
        {label: trainer.epochs - epochs for label, trainer in one.trainers.items()},
        first,
        held_out * (pace.teacher + pace.reading),
        cache_of(teacher.net, trainers, data, command.cache.store(command.run.output.folder), epochs),
        len(command.distillation.numbers_of_seeds(command.run.output.seed)),
        command.teacher_length.teacher_epochs,
    )


def compiled_course(
    one: Planned, course: Course, teacher: Teacher, data: Data, device: torch.device, display: Display
) -> Course:
    """Measure the same with compiled networks."""
    room = Classroom(teacher.net, list(one.trainers.values()))
    graphs = one.command.run.capturing.capture == "off"
    if teacher.net._compiled_call_impl is None:
        display.note(compile_classroom(room, device.type, graphs, say=display.note))
    labels = {trainer: label for label, trainer in one.trainers.items()}
    return dataclasses.replace(course, pace=measured(teacher.net, labels, data, device, _OTHERWISE))


def changed_course(
    command: Distill, one: Planned, shared: Opened, teacher: Teacher, course: Course, device: torch.device
) -> Course:
    """Measure a distillation with other settings; the teacher's own training is taken to change in proportion."""
    quiet, entries = Display(quiet=True), one.entries
    same = command.run.config.batch_size == shared.data.train.batch_size
    data = shared.data if same else command.run.load(quiet, shared.data.info.strong_view)
    teacher.net.precision, before = command.precision.dtype, teacher.net.precision
    try:
        other = built(command, one.name, dataclasses.replace(shared, data=data), teacher, entries, quiet)
        labels = {trainer: label for label, trainer in other.trainers.items()}
        pace = measured(teacher.net, labels, data, device, _CHANGED)
    finally:
        teacher.net.precision = before
    ratio = pace.epoch(course.labels) / course.pace.epoch(course.labels)
    first = None if course.teacher is None else course.teacher.scaled(ratio)
    return dataclasses.replace(course, pace=pace, teacher=first)

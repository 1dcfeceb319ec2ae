"""The students of a plan: refused if they cannot be, and built as a distillation would build them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from ...bench.entries import Entry, learns_alone, students
from ...methods.parse import parse
from ...training.progress import Display
from ...training.student import StudentTrainer
from ...training.teachers.sampled import look_at
from ...training.teachers.teacher import Teacher
from ..arguments import named_values
from ..distill import Opened
from ..options.distill import Distill
from ..options.plan import Plan
from .build import trainer_alone, trainer_taught

ALONE = "by itself"
_LOOKING = 3.0  # seconds for a first measurement of a teacher


@dataclass(frozen=True)
class Planned:
    """A student network with all that is trained of it.

    Args:
        name: As typed.
        command: Its distillation, complete.
        entries: Its students as typed, and itself alone as the baseline.
        trainers: They by label; the last one has a teacher unless none has.
    """

    name: str
    command: Distill
    entries: Sequence[Entry]
    trainers: Mapping[str, StudentTrainer]

    @property
    def taught(self) -> StudentTrainer:
        return list(self.trainers.values())[-1]


def check(command: Plan) -> list[Entry]:
    """Refuse what can be refused before data are read, and return the students of each network.

    Raises:
        ValueError: If there is no such network, method, device, tracker or file of weights.
    """
    asked = command.distillation
    command.run.tracking.check()
    command.run.device.torch_device()
    names = command.planning.students
    if len(names) > 1:
        for option in ("student_weights", "student_anatomy", "student_weights_key"):
            if getattr(asked, option) is not None:
                raise ValueError(f"--{option} is for one student, not {len(names)}; plan each by itself")
    entries = students(asked.methods)
    for name in names:
        command.distill(name).check_networks()
    command.distill(names[0]).teacher_run()
    if asked.baseline and not any(learns_alone(entry.methods) for entry in entries):
        entries = [Entry(ALONE, tuple(parse("CE"))), *entries]
    return entries


def look(shared: Opened, device: torch.device, display: Display) -> None:
    """Say how accurate a teacher with weights is on some held-out images, and what is wrong with it, if anything is."""
    if (teacher := shared.teacher) is None:
        return
    if teacher.net.foreign_logits:
        display.note(f"the teacher {teacher.name} {teacher.net.foreign_logits}; no method may read its logits")
        return
    found = look_at(teacher, shared.data, device, _LOOKING)
    display.say(f"teacher {teacher.short}: {found}")
    display.note(found.problem or None)


def untrained_teacher(command: Distill, shared: Opened) -> Teacher:
    """Return a teacher that has no weights yet, which takes as long as one that has."""
    source, data = command.teacher_source(), shared.data
    return Teacher(source.tapped(source.build(data, command.run.output.seed), data), source.name)


def taught_first(command: Plan, shared: Opened, student: str, display: Display) -> StudentTrainer | None:
    """Return the trainer of a teacher that has no weights yet; None if it has some, or if its run is done."""
    if shared.teacher is not None:
        return None
    whole = shared.complete(command.distill(student))
    trainer = trainer_alone(whole.teacher_source(), shared.data, whole.teacher_run())
    if trainer.run.is_done:
        display.say(f"teacher {trainer.name}: already trained, {trainer.run.folder}")
        return None
    return trainer


def built(
    command: Distill, name: str, shared: Opened, teacher: Teacher, entries: Sequence[Entry], display: Display
) -> Planned:
    """Build the students of a network."""
    whole = shared.complete(command)
    source, config = whole.distillation.student_source(), named_values(whole)
    trainers = {
        entry.label: trainer_alone(source, shared.data, whole.run)
        if learns_alone(entry.methods)
        else trainer_taught(source, teacher, entry.methods, shared.data, whole.run, config, say=display.note)
        for entry in entries
    }
    for trainer in trainers.values():
        if trainer.run.is_done:
            display.note(f"{trainer.name} is already trained, in {trainer.run.folder}; the plan is for all anew")
    return Planned(name, whole, entries, trainers)

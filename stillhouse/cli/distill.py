"""`stillhouse distill`: a student that learns from a teacher, and the same student by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..checkpoints.load import Say
from ..data import Data
from ..methods.parse import MethodSpec
from ..report.recipes import find
from ..training.classroom import Classroom
from ..training.progress import Display
from ..training.student import StudentTrainer
from ..training.teachers.examine import examine, in_words
from ..training.teachers.located import locate
from ..training.teachers.teacher import Teacher, trained
from .arguments import named_values
from .options.distill import Distill
from .runs.build import trainer_alone, trainer_taught
from .runs.other_runs import notes_on_other_runs
from .summary import ahead, next_steps
from .summary.results import gain, into_card, measure, published, table, warning
from .train import fit_alone, fit_room


@dataclass(frozen=True)
class Opened:
    """Data and teacher of a distillation.

    Args:
        teacher: None if it was not needed, or has no weights yet.
        size: Of the images, in px, where the teacher decides it.
        is_trained: True if the teacher has weights, whether it was needed or not.
    """

    data: Data
    teacher: Teacher | None
    size: int | None
    is_trained: bool

    @cached_property
    def teacher_identity(self) -> Mapping[str, object] | None:
        """Return what a student of the teacher depends on, computed once: all its weights are read for that."""
        return self.teacher.identity() if self.teacher else None

    def complete(self, command: Distill) -> Distill:
        """Return the options with what the data and the teacher decide filled in."""
        return command.for_data(self.data, self.size)


def opened(command: Distill, display: Display, strong_view: bool = False, needs_teacher: bool = True) -> Opened:
    """Load the data of a distillation, and its teacher if it is needed and has weights.

    Raises:
        ValueError: If they cannot be read.
    """
    found = locate(command.teacher_source())
    is_trained = bool(found.source.weights)
    data = command.run.load(display, strong_view, found.input if is_trained else None)
    if not (needs_teacher and is_trained):
        return Opened(data, None, found.input.size, is_trained)
    teacher = command.read_teacher(found, data, display)
    teacher.net.precision = command.precision.dtype
    return Opened(data, teacher, found.input.size, is_trained)


def distill(command: Distill, display: Display) -> None:
    asked = command.distillation
    command.run.tracking.check()
    display.all_terms = command.shown.terms == "all"
    method_specs = asked.method_specs()  # refuse what can be refused before data are read
    command.check_networks()
    command.teacher_run()
    shared = opened(command, display, any(method.build().needs_strong_view for method in method_specs))
    command, data = shared.complete(command), shared.data
    options, device = command.run, command.run.device.torch_device()
    teacher, is_planned = shared.teacher, False
    if teacher is None:
        teacher, is_planned = train_teacher(command, method_specs, data, display)
    elif command.teacher_length.teacher_epochs is not None:
        display.note(f"--teacher_epochs is not needed: {asked.teacher} has weights and is not trained")
    scores = examine(teacher, command.precision.dtype, device, data, display, command.knowledge.trust_teacher)

    trainers = students_of(teacher, command, method_specs, data, display.note)
    taught = trainers[-1]
    display.say(f"teacher {teacher.short}: {in_words(scores, data)}; {teacher.net.anatomy.describe()}")
    display.say(f"student {asked.student_source().short}: {taught.distillation.student.anatomy.describe()}")
    display.note(ahead.larger(taught, teacher.net))
    if len(method_specs) > 1:
        display.say(next_steps.sum_of(method_specs))
    display.say("; ".join(taught.distillation.describe_spots()))
    for trainer in trainers:
        display.say(f"{trainer.name}: {'already trained, ' if trainer.run.is_done else ''}{trainer.run.folder}")
    for note in notes_on_other_runs(taught, "to continue from its weights instead, add --student_weights {weights}"):
        display.note(note)
    waiting = [trainer for trainer in trainers if not trainer.run.is_done]
    if waiting:
        store = command.cache.store(options.output.folder)
        if not is_planned:
            display.set_parts([])
            seconds = ahead.seconds_to_go(teacher.net, waiting, data, device, command.memory.memory_budget)
            display.say(ahead.plan(None, waiting, seconds))
        room = Classroom(teacher.net, waiting)
        fit_room(room, data, options, display, scores, store, command.memory.memory_budget)
    results = measure(teacher, trainers, data, options, scores)
    display.console.print(table(results, teacher, data, options))
    display.say(gain(results, options.output.seed))
    if hurt := warning(results, command):
        display.note(hurt[0])
        display.paste(f"  {hurt[1]}")
    into_card(results, teacher, options.output.seed)
    if asked.recipe and find(asked.recipe).top1:
        here = {**dataclasses.asdict(options.config), "student": asked.student, "teacher": teacher.name}
        here |= {"methods": [str(method) for method in method_specs], "data": data.name}
        display.say(published(find(asked.recipe), here))
    next_steps.show(display, taught.run, command)


def train_teacher(
    command: Distill, methods: Sequence[MethodSpec], data: Data, display: Display
) -> tuple[Teacher, bool]:
    """Train a teacher that has no weights yet, as `stillhouse train` would, unless its run is done.

    Returns:
        The teacher, and True if it was trained now and the plan was shown.
    """
    source, options = command.teacher_source(), command.teacher_run()
    trainer = trainer_alone(source, data, options, say=display.note)
    for note in notes_on_other_runs(trainer, "to use that teacher as it is, add --teacher {folder}"):
        display.note(note)
    is_new = not trainer.run.is_done
    if is_new:
        untrained = Teacher(source.tapped(source.build(data, options.output.seed), data), source.name)
        students = students_of(untrained, command, methods, data)  # so that no refusal comes after hours
        display.say(f"teacher {source.name} has no weights yet: it is trained first (or give --teacher_weights)")
        device = options.device.torch_device()
        seconds = [ahead.seconds_to_go(None, [trainer], data, device)]
        seconds += [ahead.seconds_to_go(untrained.net, students, data, device, command.memory.memory_budget)]
        display.set_parts(seconds)
        display.say(ahead.plan(trainer, students, sum(seconds)))
    fit_alone(trainer, data, options, display)
    path, device = str(trainer.run.folder), options.device.torch_device()
    return trained(path, data, source.anatomy, device, typed=[source.name]), is_new


def students_of(
    teacher: Teacher, command: Distill, methods: Sequence[MethodSpec], data: Data, say: Say | None = None
) -> list[StudentTrainer]:
    """Build the baseline, if it is wanted, and the student of a teacher."""
    source, options = command.distillation.student_source(), command.run
    config, name = named_values(command), command.naming.name
    taught = trainer_taught(source, teacher, methods, data, options, config, name, say=say)
    return [trainer_alone(source, data, options, say=say), taught] if command.distillation.baseline else [taught]

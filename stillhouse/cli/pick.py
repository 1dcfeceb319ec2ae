"""`stillhouse pick`: of students that are fast enough, the one that learns best in a given time."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..bench.entries import Entry, unlabelled
from ..bench.plan import check_networks
from ..bench.run import Comparison
from ..checkpoints import write_atomically
from ..data import Data
from ..export.latency import Latency
from ..grid import scores
from ..grid.axes import METHODS, STUDENT, Settings
from ..grid.display import GridDisplay
from ..grid.halving import Halving
from ..grid.student import BaseStudent
from ..grid.training import Training
from ..pick import fast_enough
from ..pick.budget import FINALISTS, once, rungs, settled, steps
from ..pick.candidates import Candidate, candidates, csv_of, ranked, table
from ..pick.fast_enough import Limit
from ..pick.record import NAME, Record, folder_of
from ..pick.verdict import too_early, verdict
from ..report.latency import machine
from ..spelling import counted
from ..training.config import TrainConfig
from ..training.progress import Display, duration
from .arguments import named_values
from .distill import opened
from .options.pick import Pick
from .runs.rooms import given_for_distill
from .summary.in_full import in_full
from .words.seeds import read_seeds

_NOT_ASKED = ("folder", "track", "workers", "memory_budget", "teacher_cache", "cache_budget")  # the choice is the same


def pick(command: Pick, display: Display) -> None:
    asked = command.pick
    command.run.tracking.check()
    names, sums, limit = asked.names, asked.sums(), asked.limit()  # refuse what can be refused before data are read
    _check(command)
    typed, seeds = given_for_distill(command, ("epochs",)), read_seeds(asked.seeds, command.run.output.seed)
    shape = f"pick: {counted(len(names), 'student')} x {counted(len(sums), 'method')}"
    shown = GridDisplay(display, shape)
    for label in unlabelled(sums):
        shown.note(f"{label} learns nothing from labels; to add that, write CE + {label}")
    base = _base(command, typed)
    check_networks([cell for settings in _settings(names, sums) for cell in base.cells(settings, seeds[:1])])
    shared = opened(base.cells(_settings(names[:1], sums[:1])[0], seeds)[0].command, shown, needs_teacher=False)

    folder = folder_of(command.run.output.folder, shared.data.name, _identity(command))
    record = Record.read(folder)
    size = shared.data.info.image_size
    latencies = record.latencies if record else fast_enough.measured(names, len(shared.data.classes), size, limit)
    _tell_latencies(latencies, limit, record, folder, display)
    batch = _settings([name for name in names if limit.allows(latencies[name])], sums)
    if len(batch) == 1:
        display.say(f"only {batch[0][STUDENT]} is left, trained by one sum of losses: nothing to choose by training")
        cell = base.cells(batch[0], seeds)[0]
        display.paste(f"  {in_full(batch[0], cell, size, typed, command.run.length.epochs, None)}")
        return
    full = shared.complete(base.cells(batch[0], seeds)[0].command).run.config
    if record is None:
        record = _settled(command, base, batch, len(seeds), full, shared.data, latencies, shown)
        record.save(folder)
    _tell_plan(asked.budget, record, full.epochs, len(batch), folder, display)
    base = _base(command, typed, epochs=record.epochs, teacher_weights=record.teacher)
    halving = Halving(len(batch), FINALISTS, record.rungs)
    training = Training(base, seeds, shown, False, lambda *_: None, halving)
    began = time.perf_counter()
    training.train(batch)
    display.say(f"trained for {duration(time.perf_counter() - began)}")
    for failed, why in training.failures.items():
        display.say(f"failed: {failed}: {why}")
    config = dataclasses.replace(full, epochs=record.epochs)
    ends = list(dict.fromkeys([*map(config.epochs_in, halving.parts), record.epochs]))
    validation = len(shared.data.validation or ())
    found = candidates(training.scored(training.cells), latencies, ends, validation)
    slow = {name: one for name, one in latencies.items() if not limit.allows(one)}
    chance = 100 / len(shared.data.classes)
    choice = _tell(found, ends, limit, slow, folder, _named(command), chance, display)
    if choice is not None:
        display.say("to train it in full, on all training images:")
        settings = choice.found.settings
        cell = base.cells(settings, seeds)[0]
        display.paste(f"  {in_full(settings, cell, size, typed, command.run.length.epochs, record.teacher)}")
    training.raise_failures()


def _check(command: Pick) -> None:
    if not command.run.split.validation:
        raise ValueError("--validation must be above 0, for the test images never choose; 0.1 when left out")
    whole = [milestone for milestone in command.run.config.milestones if milestone >= 1]
    if whole and command.pick.budget is not None:
        raise ValueError(
            f"--milestones {whole[0]:g} is an epoch of a training in full, and --budget trains fewer epochs; write "
            "fractions of --epochs, such as 0.625,0.75,0.875"
        )


def _base(command: Pick, typed: Mapping[str, object], **settled: object) -> BaseStudent:
    """Return what all candidates share.

    Args:
        settled: Options that were decided by measuring, if they have a value.
    """
    known = {name: value for name, value in settled.items() if value is not None}
    epochs = {} if command.run.length.epochs is None else {"epochs": command.run.length.epochs}
    options = {"teacher": command.pick.teacher, "validation": command.run.split.validation, **epochs, **known}
    return BaseStudent(options, (), typed)


def _settings(names: Sequence[str], sums: Sequence[Entry]) -> list[Settings]:
    return [{STUDENT: name, METHODS: entry.label} for name in names for entry in sums]


def _named(command: Pick) -> str:
    """Name the teacher and the data, for captions."""
    teacher, data = (text.rstrip("/").rpartition("/")[2] for text in (command.pick.teacher, command.run.data.data))
    return f"Teacher {teacher}, {data}"


def _identity(command: Pick) -> dict[str, object]:
    return {name: value for name, value in named_values(command).items() if name not in _NOT_ASKED}


def _tell_latencies(
    latencies: Mapping[str, Latency], limit: Limit, record: Record | None, folder: Path, display: Display
) -> None:
    """Print the latency of each student, and which are left out.

    Raises:
        ValueError: If all are.
    """
    display.console.print(fast_enough.table(latencies, limit))
    if record is not None:
        elsewhere = f" on {record.machine}" if record.machine != machine() else ""
        display.note(f"latencies and epochs are those measured{elsewhere} when this began, kept in {folder / NAME}")
    fast_enough.refuse_none(latencies, limit)


def _settled(
    command: Pick,
    base: BaseStudent,
    batch: Sequence[Settings],
    seeds: int,
    full: TrainConfig,
    data: Data,
    latencies: Mapping[str, Latency],
    shown: GridDisplay,
) -> Record:
    """Measure steps of all candidates, and return the number of epochs that the budget allows."""
    first = [cell for settings in batch for cell in base.cells(settings, [command.run.output.seed])]
    comparison = Comparison(first, shown)
    (room,) = comparison.rooms
    pace, least = comparison.pace(room, room.cells), max(1, math.ceil(full.lr_warmup))
    ends = once(pace, *map(len, (data.train, data.validation or (), data.test)))
    found = settled(command.pick.seconds, full.epochs, least, pace, ends, len(batch), seeds)
    trained = None if room.trained is None else str(room.trained)
    return Record(machine(), latencies, found.epochs, len(found.rungs) - 1, found.seconds, trained)


def _tell_plan(budget: str | None, record: Record, full: int, count: int, folder: Path, display: Display) -> None:
    """Print for how long candidates are trained."""
    (first, end), *later = steps(rungs(count, record.rungs), record.epochs)
    words = [f"{first} candidates for {counted(end, 'epoch')}", *(f"{number} for {epochs}" for number, epochs in later)]
    of_full = ", as many as a training in full" if record.epochs == full else f" of {full} in full"
    display.say(f"plan: {', '.join(words)}{of_full}; about {duration(record.seconds)}")
    if budget is not None:
        became = "is enough for these" if record.epochs == full else "became these epochs by measured steps"
        display.say(f"--budget {budget} {became}, once for all: {folder / NAME}")


def _tell(
    found: Sequence[Candidate],
    ends: Sequence[int],
    limit: Limit,
    slow: Mapping[str, Latency],
    folder: Path,
    named: str,
    chance: float,
    display: Display,
) -> Candidate | None:
    """Print what came out, write it into the folder, and return the chosen candidate; None if all failed."""
    order = ranked(found)
    choice = order[0] if order else None
    display.console.print(table(found, ends, choice))
    write_atomically(folder / "candidates.csv", csv_of(found, ends, choice))
    cells = scores.csv_of(
        [one.found for one in found], choice.found if choice else None, test=False
    )  # for stillhouse report
    write_atomically(folder / "cells.csv", cells)
    from ..analysis.figures import save  # they import matplotlib, which takes a second
    from ..pick.pareto import pictures

    drawn = save(pictures(found, choice, limit, slow, named), folder)
    display.say(
        f"in {folder}: candidates.csv, cells.csv{''.join(f', {name}.svg, {name}.png, {name}.pdf' for name in drawn)}"
    )
    if choice is None:
        return None
    for sentence in verdict(found, order):
        display.say(sentence)
    display.note(too_early(found, chance))
    tests = choice.found.tests()
    display.say(f"its test top-1, looked at for this candidate only: {sum(tests) / len(tests):.2f} %")
    return choice

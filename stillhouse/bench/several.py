"""`stillhouse distill` with several students or seeds: a bench of one pair, whose baseline is trained as well."""

from __future__ import annotations

import dataclasses

from ..cli.distill import distill as distill_one
from ..cli.options.distill import Distill
from ..cli.summary import next_steps
from ..methods.parse import parse
from ..training import ranks
from ..training.progress import Display
from .display import BenchDisplay
from .entries import Entry, learns_alone, students
from .plan import Cell
from .run import Comparison


def distill(command: Distill, display: Display) -> None:
    """Train the students of a distillation: one, or several side by side with each seed.

    Raises:
        ValueError: If an option, or torchrun, is for one student only, and there are several.
    """
    asked = command.distillation
    found, seeds = students(asked.methods), asked.numbers_of_seeds(command.run.output.seed)
    if len(found) == 1 and len(seeds) == 1:
        distill_one(command.with_seed(seeds[0]), display)
        return
    if ranks.several():
        raise ValueError(
            f"processes of torchrun train one student together, not {len(found) * len(seeds)}; `stillhouse bench "
            f"--processes` trains several at the same time, without torchrun"
        )
    if command.shown.terms == "all":
        raise ValueError(f"--terms all is for one student, not {len(found) * len(seeds)}: see each run's metrics.jsonl")
    command.run.tracking.check()
    if asked.baseline and not any(learns_alone(entry.methods) for entry in found):
        found = [Entry("CE", tuple(parse("CE"))), *found]
    comparison = Comparison(cells(command, found, seeds), BenchDisplay(display))
    comparison.go()
    if taught := [run for cell, run in comparison.runs.items() if not cell.learns_alone]:
        next_steps.files(display, taught)


def cells(command: Distill, found: list[Entry], seeds: list[int]) -> list[Cell]:
    """Return every student, seed by seed."""
    asked = command.distillation
    pair = "-".join(name.rstrip("/").rpartition("/")[2] for name in (asked.teacher, asked.student))
    members = []
    for seed in seeds:
        for entry in found:
            own = dataclasses.replace(asked, methods=[str(one) for one in entry.methods], baseline=False, seeds=None)
            one = dataclasses.replace(command.with_seed(seed), distillation=own)
            members.append(Cell(pair, entry.label, one, entry.methods, asked.recipe))
    return members

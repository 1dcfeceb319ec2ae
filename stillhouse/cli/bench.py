"""`stillhouse bench`: pairs x methods x seeds, compared on the same images, initial weights and teachers."""

from __future__ import annotations

from ..bench.display import BenchDisplay
from ..bench.entries import entries, unlabelled
from ..bench.plan import cells, check_networks, pairs_of
from ..bench.run import Comparison
from ..training.progress import Display
from .options.bench import Bench
from .runs.rooms import elsewhere, given_for_distill, given_values
from .words.seeds import read_seeds


def bench(command: Bench, display: Display) -> None:
    asked, rooms = command.bench, command.rooms
    command.run.tracking.check()
    by_default = "CE, CE(weight=0.1) + KD(weight=0.9)" if asked.recipes is None else None
    methods = by_default if asked.methods is None else asked.methods
    found = entries(methods, asked.recipes)
    for label in unlabelled(found):
        display.note(f"{label} has no loss on labels, unlike in most published tables; CE + {label} would have one")
    pairs = pairs_of(asked.teacher, asked.student, asked.pairs)
    typed = given_for_distill(command, but=("teacher", "student") if asked.pairs is not None else ())
    seeds = read_seeds(asked.seeds, command.run.output.seed)
    students = cells(pairs, found, seeds, typed)
    check_networks(students)
    comparison = Comparison(students, BenchDisplay(display), rooms.teachers == "per_seed", rooms.until)
    comparison.memory_share = 0.5**rooms.halve_memory
    if rooms.room is not None:
        comparison.train_room(rooms.room)
        return
    device = command.run.device.torch_device()
    comparison.go(elsewhere(rooms, "bench", given_values(command), device, display.say))

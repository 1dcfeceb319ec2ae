"""`stillhouse grid`: a student with every combination of some settings, of which validation images choose one."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..bench.plan import check_networks, pairs_in_words
from ..bench.run import Elsewhere
from ..checkpoints import write_atomically
from ..grid.axes import METHODS, Axis, Settings, Span, Value, combinations, words
from ..grid.display import GridDisplay
from ..grid.halving import Halving
from ..grid.scores import Scored, chosen, csv_of, table, undecided
from ..grid.search import Proposals
from ..grid.student import BaseStudent
from ..grid.training import Training
from ..methods.parse import MethodSpec, parse, split
from ..report.recipes import find
from ..spelling import counted
from ..training.progress import Display
from .options.grid import Grid
from .runs.rooms import elsewhere, given_for_distill, given_values
from .words.seeds import read_seeds


def grid(command: Grid, display: Display) -> None:
    asked, rooms, axes = command.grid, command.rooms, command.grid.axes
    command.run.tracking.check()
    _check(command)
    base, validation = base_of(command), command.run.split.validation
    varied = [name for axis in axes for name in axis.names]
    if METHODS in varied and METHODS in command.given:
        raise ValueError(f"{METHODS} are given by --{METHODS} and varied by --grid; leave one out")
    base.check(varied)
    proposals = Proposals(axes, command.run.output.seed) if asked.search else None
    trials = asked.trials if proposals else len(combinations(axes))
    together = min(asked.together, trials)
    batch = [proposals.ask() for _ in range(together)] if proposals else combinations(axes)
    check_networks([cell for settings in _with_every_value(axes, batch) for cell in base.cells(settings, [0])])
    shape = " x ".join(str(len(axis.points)) for axis in axes if isinstance(axis.points, tuple))
    title = f"search: {counted(trials, 'trial')}" if proposals else f"grid: {shape} {'cells' if trials > 1 else 'cell'}"
    display.say(f"chosen by validation images: {100 * validation:g} % of the training images")
    training = Training(
        base,
        read_seeds(asked.seeds, command.run.output.seed),
        GridDisplay(display, title),
        rooms.teachers == "per_seed",
        partial(_elsewhere, command, display),
        Halving(together) if asked.search == "halving" else None,
        0.5**rooms.halve_memory,
    )
    if rooms.room is not None:
        training.train_room(batch, rooms.room, rooms.until)
        return
    while batch:
        found = training.train(batch)
        if proposals is None:
            break
        for one in found:
            proposals.tell(one)
        batch = [proposals.ask() for _ in range(min(together, trials - proposals.told))]
    if proposals and (again := trials - len(training.cells)):
        display.say(f"{counted(again, 'trial')} of {trials} had settings of an earlier one, and are left out below")
    for failed, why in training.failures.items():
        display.say(f"failed: {failed}: {why}")
    _tell(
        command,
        training.scored(training.cells),
        axes,
        pairs_in_words(cell for members in training.members.values() for cell in members),
        display,
    )
    training.raise_failures()


def _check(command: Grid) -> None:
    asked, given = command.grid, command.given
    if not command.run.split.validation:
        raise ValueError("--validation must be above 0, for a grid never chooses by the test images; 0.1 when left out")
    if asked.search is None and (without := sorted(given & {"trials", "together"})):
        raise ValueError(f"--{without[0]} is for a search; add --search tpe or halving, or leave it out")
    if asked.search is not None and command.rooms.room is not None:
        raise ValueError("--room is for a grid without --search, whose rooms depend on earlier outcomes; leave one out")


def _with_every_value(axes: Sequence[Axis], batch: Sequence[Settings]) -> list[Settings]:
    """Return settings among which is every value of each axis, as a search may try any of them."""
    listed = [(axis, axis.points) for axis in axes if not isinstance(axis.points, Span)]
    return [*batch, *({**batch[0], **axis.settings(point)} for axis, points in listed for point in points)]


def _elsewhere(command: Grid, display: Display, batch: Sequence[Settings], part: float) -> Elsewhere | None:
    """Return a function that trains the rooms of a batch in other processes, which are given it as a grid."""
    values: dict[str, object] = {**given_values(command), "until": part}
    if command.grid.search:
        values = {name: value for name, value in values.items() if name not in ("search", "trials", "together")}
        names, points = list(batch[0]), [[_plain(value) for value in one.values()] for one in batch]
        unique = [point for place, point in enumerate(points) if point not in points[:place]]
        values["grid"] = {"/".join(names): unique if len(names) > 1 else [value for (value,) in unique]}
    return elsewhere(command.rooms, "grid", values, command.run.device.torch_device(), display.say)


def _plain(value: Value) -> Value:
    return str(value) if isinstance(value, MethodSpec) else value


def base_of(command: Grid) -> BaseStudent:
    """Return the student that a command varies."""
    asked = command.grid
    typed = given_for_distill(command)
    options = dict(find(asked.recipe).options) if asked.recipe else {}
    options = {
        "teacher": asked.teacher,
        "student": asked.student,
        "validation": command.run.split.validation,
        **options,
    }
    published = options.pop("methods", "CE(weight=0.1), KD(weight=0.9)")
    text = asked.methods if asked.methods is not None else str(published)
    items = [text] if isinstance(text, str) else text
    methods = parse(", ".join(part for item in items for part in split(item, "+")))
    return BaseStudent(options, tuple(methods), typed)


def _tell(command: Grid, found: Sequence[Scored], axes: Sequence[Axis], pair: str, display: Display) -> None:
    """Print what came out, and write it into a folder of its own."""
    choice, test_all = chosen(found), command.grid.test == "all"
    display.console.print(table(found, choice, test_all))
    if choice is None:  # every cell failed
        return
    folder = _folder(command.run.output.folder, pair, found)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "cells.csv", csv_of(found, choice, test_all))
    named = f"{pair}, {command.run.data.data.rstrip('/').rpartition('/')[2]}"
    from ..analysis.figures import save  # they import matplotlib, which takes a second
    from ..grid.heat_map import pictures

    drawn = save(pictures(found, axes, choice, named), folder)
    display.say(f"in {folder}: cells.csv{''.join(f', {name}.svg, {name}.png, {name}.pdf' for name in drawn)}")
    seeds = f", mean of {len(choice.seeds)} seeds" if len(choice.seeds) > 1 else ""
    display.say(f"chosen: {words(choice.settings)}: validation top-1 {choice.mean:.2f} %{seeds}")
    display.note(undecided(found))
    tests = choice.tests()
    each = f" ({', '.join(f'{one:.2f}' for one in tests)})" if len(tests) > 1 else ""
    alone = "" if test_all else ", looked at for this cell only"
    display.say(f"its test top-1{alone}: {sum(tests) / len(tests):.2f} %{each}")
    run = next(iter(choice.runs.values())).folder
    name = "train" if "-from-" not in run.name else "distill"
    display.say("to train it on all training images:")
    display.paste(f"  stillhouse {name} --config {shlex.quote(f'{run}/config.yaml')} --validation 0")


def _folder(root: Path, pair: str, found: Sequence[Scored]) -> Path:
    """Return the folder of a grid's files, named after all its runs."""
    runs = sorted(str(run.folder.name) for one in found for run in one.runs.values())
    settings: list[Settings] = [one.settings for one in found]
    digest = hashlib.blake2b(repr((runs, settings)).encode(), digest_size=4).hexdigest()
    return root / f"grid-{re.sub('[/, ]+', '_', pair)}-{digest}"

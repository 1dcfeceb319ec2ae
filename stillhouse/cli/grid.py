"""`stillhouse grid`: a student with every combination of some settings, of which validation images choose one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from ..analysis.figures import save
from ..bench.entries import split
from ..bench.plan import Cell
from ..bench.run import Comparison
from ..checkpoints import write_atomically
from ..grid.axes import Axis, Settings, combinations, read_axes, words
from ..grid.base import Base
from ..grid.display import GridDisplay
from ..grid.heat_map import heat_map
from ..grid.scores import Scored, chosen, csv_of, scored, table
from ..methods.parse import parse
from ..ranges import Range, check_options
from ..report.recipes import find
from ..training.progress import Display
from .config import CacheOptions, MemoryOptions, PrecisionOptions, RunOptions
from .networks import TeacherOptions
from .rooms import RoomOptions, given_for_distill, given_values

VALIDATION = 0.1  # when it is left out


@dataclass(frozen=True)
class GridOptions:
    """Student, and the settings to vary.

    Args:
        teacher: As for stillhouse distill.
        teacher_weights: A file with its trained weights, or `pretrained` for timm's or torchvision's own.
        student: As for stillhouse distill.
        methods: Methods that the student learns by, separated by commas or +.
        recipe: Published settings to begin with (`stillhouse list recipes`); options that are typed win over them.
        grid: What to vary, separated by semicolons: arguments of methods and of the training with their values, such as
            'KD.temperature=2,4,8; lr=0.01..0.1:5log; CE.weight/KD.weight=0.2/0.8,0.4/0.6'. LOW..HIGH:5 are five numbers
            in equal steps, :5log in equal factors; names with / between them change together. In a file a mapping from
            names to lists.
        seeds: Number of seeds of each cell, which is judged by their mean; the first is --seed.
        test: Measure the chosen cell on the test images, or all, which is not for choosing.
    """

    teacher: str = "resnet32"
    teacher_weights: str | None = None
    student: str = "resnet8"
    methods: str | list[str] | None = None
    recipe: str | None = None
    grid: str | list[str] | dict[str, Any] | None = None
    seeds: Annotated[int, Range("between 1 and 1000", 1, 1000)] = 1
    test: Literal["chosen", "all"] = "chosen"

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class Grid:
    """Train a student with every combination of some settings; validation images choose one, never the test images."""

    grid: GridOptions
    rooms: RoomOptions
    knowledge: TeacherOptions
    run: RunOptions
    precision: PrecisionOptions
    cache: CacheOptions
    memory: MemoryOptions
    given: frozenset[str]


def grid(command: Grid, display: Display) -> None:
    asked, rooms = command.grid, command.rooms
    command.run.tracking.check()
    axes = read_axes(asked.grid if asked.grid is not None else "")
    base, typed_validation = base_of(command), command.run.split.validation
    base.check([name for axis in axes for name in axis.names])
    if "validation" in command.given and not typed_validation:
        raise ValueError("--validation must be above 0, for a grid never chooses by the test images; 0.1 when left out")
    cells = dict(enumerate(combinations(axes)))
    seeds = range(command.run.output.seed, command.run.output.seed + asked.seeds)
    members = {number: base.cells(settings, seeds) for number, settings in cells.items()}
    display.say(f"chosen by validation images: {typed_validation or VALIDATION:g} of the training images are held out")
    students = [student for seed in seeds for group in members.values() for student in group if student.seed == seed]
    shape = " x ".join(str(len(axis.points)) for axis in axes if isinstance(axis.points, tuple))
    shown = GridDisplay(display, f"grid: {shape} {'cell' if len(cells) == 1 else 'cells'}")
    comparison = Comparison(students, shown, rooms.teachers == "per_seed")
    if rooms.room is not None:
        comparison.train_room(rooms.room)
        return
    device = command.run.device.torch_device()
    comparison.train(rooms.elsewhere("grid", given_values(command), device, display.say))
    found = scored(cells, members, comparison.runs)
    for failed, why in comparison.failures.items():
        display.say(f"failed: {failed}: {why}")
    _tell(command, found, axes, students[0], display)
    comparison.raise_failures()


def base_of(command: Grid) -> Base:
    """Return the student that a command varies."""
    asked = command.grid
    typed = given_for_distill(command)
    options = dict(find(asked.recipe).options) if asked.recipe else {}
    options = {"teacher": asked.teacher, "student": asked.student, "validation": VALIDATION, **options}
    published = options.pop("methods", "CE(weight=0.1), KD(weight=0.9)")
    text = asked.methods if asked.methods is not None else str(published)
    items = [text] if isinstance(text, str) else text
    methods = parse(", ".join(part for item in items for part in split(item, "+")))
    return Base(options, tuple(methods), typed)


def _tell(command: Grid, found: Sequence[Scored], axes: Sequence[Axis], student: Cell, display: Display) -> None:
    """Print what came out, and write it into a folder of its own."""
    choice, test_all = chosen(found), command.grid.test == "all"
    display.console.print(table(found, choice, test_all))
    folder = _folder(command.run.output.folder, student.pair, found)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "cells.csv", csv_of(found, choice, test_all))
    named = f"{student.pair}, {student.command.run.data.data.rstrip('/').rpartition('/')[2]}"
    figure = heat_map(found, axes, choice, named)
    drawn = save([("heat_map", figure)], folder) if figure is not None else []
    display.say(f"in {folder}: cells.csv{''.join(f', {name}.svg, {name}.png' for name in drawn)}")
    if choice is None:
        return
    seeds = f", mean of {len(choice.seeds)} seeds" if len(choice.seeds) > 1 else ""
    display.say(f"chosen: {words(choice.settings)}: validation top-1 {choice.mean:.2f} %{seeds}")
    tests = choice.tests()
    each = f" ({', '.join(f'{one:.2f}' for one in tests)})" if len(tests) > 1 else ""
    alone = "" if test_all else ", looked at for this cell only"
    display.say(f"its test top-1{alone}: {sum(tests) / len(tests):.2f} %{each}")
    run = next(iter(choice.runs.values())).folder
    name = "train" if "-from-" not in run.name else "distill"
    display.say(f"to train it on all training images: stillhouse {name} --config {run}/config.yaml --validation 0")


def _folder(root: Path, pair: str, found: Sequence[Scored]) -> Path:
    """Return the folder of a grid's files, named after all its runs."""
    runs = sorted(str(run.folder.name) for one in found for run in one.runs.values())
    settings: list[Settings] = [one.settings for one in found]
    digest = hashlib.blake2b(repr((runs, settings)).encode(), digest_size=4).hexdigest()
    return root / f"grid-{pair.replace('/', '_')}-{digest}"

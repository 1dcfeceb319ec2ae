"""The plan of a bench: its students, each with the options of `stillhouse distill`, and its rooms."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..cli.arguments import build, option_groups, read
from ..cli.options.distill import Distill
from ..cli.words.suited import suited
from ..methods.parse import MethodSpec
from ..report.recipes import find
from ..training.teachers.places import about_place, place_of
from .entries import Entry, learns_alone

Pair = Mapping[str, object]  # options of `stillhouse distill` for this pair only; at least teacher and student


@dataclass(frozen=True, eq=False)
class Cell:
    """One student of a bench.

    Args:
        pair: Name of teacher and student in tables.
        label: Name of its method in tables.
        command: The options of `stillhouse distill` that train it.
        methods: Methods whose losses are added up.
        recipe: Full name of the published settings that it is trained with.
    """

    pair: str
    label: str
    command: Distill
    methods: tuple[MethodSpec, ...]
    recipe: str | None = None

    @property
    def seed(self) -> int:
        return self.command.run.output.seed

    @property
    def learns_alone(self) -> bool:
        return learns_alone(self.methods)

    @property
    def needs_strong_view(self) -> bool:
        return any(method.build().needs_strong_view for method in self.methods)

    def __str__(self) -> str:
        return f"{self.pair}, {self.label}, seed {self.seed}"


@dataclass(frozen=True, eq=False)
class Room:
    """Students that see the same images and have the same teacher, which therefore runs once for all of them.

    Args:
        trained: Folder of the run that trained the teacher, for a teacher without weights.
    """

    cells: tuple[Cell, ...]
    trained: Path | None = None

    @property
    def command(self) -> Distill:
        """The options that all of its students share."""
        return self.command_of(self.cells[0])

    def command_of(self, cell: Cell) -> Distill:
        """Return the options that train one of its students."""
        if self.trained is None:
            return cell.command
        asked = dataclasses.replace(cell.command.distillation, teacher_weights=str(self.trained))
        return dataclasses.replace(cell.command, distillation=asked)

    @property
    def name(self) -> str:
        return f"{pairs_in_words(self.cells)}, seed {self.cells[0].seed}"

    @property
    def needs_teacher(self) -> bool:
        return not all(cell.learns_alone for cell in self.cells)

    @property
    def teacher(self) -> str:
        """Describe the teacher and its view of the images."""
        return repr((_teacher(self.command), self.needs_teacher))


def pairs_of(teacher: str, student: str, pairs: str | Sequence[Pair] | None) -> list[Pair]:
    """Return the pairs of a bench: those listed, or the one teacher and student.

    Raises:
        ValueError: If they cannot be read.
    """
    if pairs is None:
        return [{"teacher": teacher, "student": student}]
    if not isinstance(pairs, str):
        for pair in pairs:
            if absent := {"teacher", "student"} - pair.keys():
                raise ValueError(f"--pairs: {dict(pair)} has no {min(absent)}")
        return list(pairs)
    found: list[Pair] = []
    for text in pairs.split(","):
        names = text.strip().split("-")
        if len(names) != 2:
            raise ValueError(
                f"--pairs {text.strip()!r} must be TEACHER-STUDENT, such as resnet56-resnet20; write names with "
                "hyphens into a file: pairs: [{teacher: ..., student: ...}], and give it as --config"
            )
        found.append(dict(zip(("teacher", "student"), names, strict=True)))
    return found


def cells(
    pairs: Sequence[Pair], entries: Sequence[Entry], seeds: Sequence[int], typed: Mapping[str, Any]
) -> list[Cell]:
    """Return every student of a bench, pair by pair and seed by seed.

    Args:
        typed: Options of `stillhouse distill` that the user gave; they win over those of pairs, which win over those
            of recipes.

    Raises:
        ValueError: If a recipe is not published for a pair, or a value cannot be read.
    """
    found = []
    for pair, name in zip(pairs, names_of(pairs), strict=True):
        for entry in entries:
            recipe = find(f"{entry.recipe}/{pair['teacher']}-{pair['student']}") if entry.recipe else None
            options = {**(recipe.options if recipe else {}), **pair}
            command = _command(options, typed)
            methods = entry.methods or tuple(command.distillation.method_specs())
            full_name = recipe.name if recipe else None
            asked = dataclasses.replace(command.distillation, methods=[str(one) for one in methods], recipe=full_name)
            command = dataclasses.replace(command, distillation=asked)
            found += [Cell(name, entry.label, command.with_seed(seed), methods, full_name) for seed in seeds]
    order = {seed: number for number, seed in enumerate(seeds)}
    places = {id(cell): number for number, cell in enumerate(found)}
    names = list(dict.fromkeys(cell.pair for cell in found))
    return sorted(found, key=lambda cell: (names.index(cell.pair), order[cell.seed], places[id(cell)]))


def names_of(pairs: Sequence[Pair]) -> list[str]:
    """Return a name of each pair for display: its networks, and the options that pairs of the same networks differ in.

    A teacher that is the folder of a run has the name of its network.
    """
    names = [f"{_network(pair['teacher'])}-{_network(pair['student'])}" for pair in pairs]
    options = dict.fromkeys(option for pair in pairs for option in pair)
    found = []
    for name, pair in zip(names, pairs, strict=True):
        alike = [other for other, theirs in zip(pairs, names, strict=True) if theirs == name]
        differing = [one for one in options if any(other.get(one) != pair.get(one) for other in alike)]
        words = [f"{one} {pair[one]}" for one in differing if one in pair]
        found.append(f"{name} ({', '.join(words)})" if words else name)
    return found


def _network(name: object) -> str:
    known = about_place(place_of(str(name))).get("network", name)
    return str(known).rstrip("/").rpartition("/")[2]


def check_networks(found: Sequence[Cell]) -> None:
    """Refuse networks and files of weights that there are not, before data are read.

    Raises:
        ValueError: If there are none.
    """
    for command in {repr((cell.pair, _teacher(cell.command))): cell.command for cell in found}.values():
        command.check_networks()


def pairs_in_words(found: Iterable[Cell]) -> str:
    """Name the pair of students; of several pairs the teachers, and the student or the number of different ones."""
    pairs = {cell.pair: cell.command.distillation for cell in found}
    if len(pairs) == 1:
        return next(iter(pairs))
    teachers = {asked.teacher.rstrip("/").rpartition("/")[2]: None for asked in pairs.values()}
    students = {asked.student: None for asked in pairs.values()}
    if len(students) == 1:
        return f"{' and '.join(teachers)}-{_network(*students)}"
    return f"{' and '.join(teachers)}, {len(students)} students"


def rooms(found: Sequence[Cell]) -> list[Room]:
    """Group students that see the same images and have the same teacher."""
    together: dict[str, list[Cell]] = {}
    for cell in found:
        together.setdefault(_shared(cell.command), []).append(cell)
    return [Room(tuple(members)) for members in together.values()]


def typed_options(values: Mapping[str, Any], given: frozenset[str]) -> dict[str, Any]:
    """Return the given values of a bench that are also options of `stillhouse distill`."""
    known = {field.name for group in option_groups(Distill) for field in dataclasses.fields(group)}
    return {name: value for name, value in values.items() if name in (known & given) - {"seeds"}}  # those are its own


def _command(options: Mapping[str, Any], typed: Mapping[str, Any]) -> Distill:
    values = {**_read(json.dumps(options, default=str)), **typed}
    return build(Distill, {**values, **suited(values, {*options, *typed}), "baseline": False})


@cache
def _read(options: str) -> dict[str, Any]:
    return read("distill", Distill, ["--config", options])


def _shared(command: Distill) -> str:
    """Describe all options that students of one room share: all except student, methods and optimiser."""
    run = command.run
    images = (run.data, run.split, run.output, run.config.batch_size)
    machine = (run.device, run.compilation, run.capturing, run.distribution, command.cache, command.memory)
    return repr((_teacher(command), images, machine))


def _teacher(command: Distill) -> tuple[object, ...]:
    """Return all options that a teacher depends on, except the data."""
    asked = command.distillation
    network = (asked.teacher, asked.teacher_weights, asked.teacher_anatomy)
    return (*network, command.knowledge, command.precision, command.teacher_length)

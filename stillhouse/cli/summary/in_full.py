"""The command that trains a chosen student in full, to be pasted."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from ...bench.plan import Cell
from ...grid.axes import METHODS, STUDENT, Settings
from ..arguments import named_values, parse
from ..options.distill import Distill
from ..options.train import Train

_FOR_CHOOSING = ("validation", "train_fraction", "epochs")
_NO_SETTINGS = ("seeds", "baseline")  # of a single student


def in_full(
    settings: Settings,
    cell: Cell,
    image_size: int,
    typed: Mapping[str, object],
    epochs: int | None,
    trained: str | None,
) -> str:
    """Return the command that trains a candidate on all training images, for all epochs.

    It has the options that were typed, and those that the choice settled in another way than the command would.

    Args:
        settings: Its student and methods.
        cell: The candidate with one of its seeds.
        image_size: Height and width of the images, which its teacher may have decided.
        typed: Options of `stillhouse distill` that the user gave.
        epochs: Those of a training in full, if the user gave them.
        trained: Folder of the run that trained its teacher, if that had no weights.
    """
    asked = cell.command.distillation
    values = {"data": cell.command.run.data.data, **typed, "epochs": epochs, "validation": None, "train_fraction": None}
    if cell.learns_alone:
        wanted = named_values(cell.command) | {"image_size": image_size}
        return _command("train", Train, {"model": settings[STUDENT]}, values, wanted)
    own: dict[str, object] = {"teacher": trained or asked.teacher}
    own |= {"teacher_weights": None, "teacher_epochs": None} if trained else {"teacher_weights": asked.teacher_weights}
    own |= {"student": settings[STUDENT], "methods": settings[METHODS]}
    return _command("distill", Distill, own, values, named_values(cell.command))


def _command(
    name: str, options: type[Any], own: Mapping[str, object], values: Mapping[str, object], wanted: Mapping[str, object]
) -> str:
    """Return a command with options of its own, those of the values that it has, and others that it must be told."""
    known = named_values(parse(name, options, []))
    values = {option: value for option, value in values.items() if option in known}
    values = {**values, **own}
    read = named_values(parse(name, options, shlex.split(_words(values))))
    told = {
        option: value
        for option, value in wanted.items()
        if option in read and option not in (*own, *_FOR_CHOOSING, *_NO_SETTINGS) and read[option] != value
    }
    return f"stillhouse {name}{_words({**values, **told})}"


def _words(values: Mapping[str, object]) -> str:
    return "".join(f" --{name} {shlex.quote(_word(value))}" for name, value in values.items() if value is not None)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

"""The command that trains a chosen student in full, to be pasted."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping

from ...bench.entries import learns_alone
from ...grid.axes import METHODS, STUDENT, Settings
from ...methods.parse import parse
from ..arguments import option_groups
from ..options.pick import Pick
from ..options.train import Train

_FOR_CHOOSING = ("validation", "train_fraction", "teacher", "teacher_weights")


def in_full(chosen: Settings, teacher: str, typed: Mapping[str, object], command: Pick) -> str:
    """Return the command that trains a candidate on all training images, for all epochs.

    Args:
        chosen: Its student and methods.
        teacher: Its teacher: by name, or the folder of the run that trained it.
        typed: Options of `stillhouse distill` that the user gave.
    """
    values = {name: value for name, value in typed.items() if name not in _FOR_CHOOSING}
    if teacher != command.pick.teacher:
        values.pop("teacher_epochs", None)  # it has been trained
    if command.run.length.epochs is not None:
        values["epochs"] = command.run.length.epochs
    values = {"data": command.run.data.data, **values}
    if learns_alone(parse(str(chosen[METHODS]))):
        known = {field.name for group in option_groups(Train) for field in dataclasses.fields(group)}
        values = {name: value for name, value in values.items() if name in known}
        return f"stillhouse train{_words(values | {'model': chosen[STUDENT]})}"
    weights = command.pick.teacher_weights
    values |= {"teacher": teacher, **({"teacher_weights": weights} if weights else {})}
    return f"stillhouse distill{_words(values | {'student': chosen[STUDENT], 'methods': chosen[METHODS]})}"


def _words(values: Mapping[str, object]) -> str:
    return "".join(f" --{name} {shlex.quote(_word(value))}" for name, value in values.items() if value is not None)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

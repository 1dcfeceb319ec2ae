"""The command that trains a chosen student in full, to be pasted."""

from __future__ import annotations

from collections.abc import Mapping

from ...bench.plan import Cell
from ...grid.axes import METHODS, STUDENT, Settings
from ..arguments import named_values
from ..options.distill import Distill
from ..options.train import Train
from .pasted import pasted

_DECIDED = ("validation", "train_fraction", "epochs", "seeds", "baseline")  # for choosing, or of several students


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
        return pasted("train", Train, {"model": settings[STUDENT]}, wanted, _DECIDED, values)
    own: dict[str, object] = {"teacher": trained or asked.teacher}
    own |= {"teacher_weights": None, "teacher_epochs": None} if trained else {"teacher_weights": asked.teacher_weights}
    own |= {"student": settings[STUDENT], "methods": settings[METHODS]}
    return pasted("distill", Distill, own, named_values(cell.command), _DECIDED, values)

"""Published numbers beside ours: the recipe nearest to a group's method, and the settings that differ."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..methods.parse import catalogue
from . import labels
from .recipes import Recipe, published
from .records import RunRecord


@dataclass(frozen=True)
class Published:
    """A published number for a method on a pair of networks.

    Args:
        recipe: Name of the recipe.
        source: Who published it, and where.
        top1: Top-1 in percent.
        measured: "last" epoch, "best" epoch on the test images, or "unstated".
        differing: Options that had other values than here.
    """

    recipe: str
    source: str
    top1: float
    measured: str
    differing: tuple[str, ...]


def published_for(record: RunRecord) -> Published | None:
    """Return the published number nearest to a run; None if this method was not published on this pair.

    The recipe has the same data, networks and methods, possibly with other arguments. If there are several, it is the
    one that the run was made with, else that with the fewest differences. The last epoch's number is preferred.
    """
    if not record.is_taught:
        return None
    pair = (record.data, record.teacher, record.student)
    wanted = labels.names(record.methods)
    fitting = [
        recipe
        for recipe in published().values()
        if recipe.top1
        and tuple(recipe.options[name] for name in ("data", "teacher", "student")) == pair
        and _names(recipe) == wanted
    ]
    if not fitting:
        return None
    here = {**record.config, "data": record.data, "teacher": record.teacher, "student": record.student}
    differing = {recipe.name: tuple(recipe.differs(here)) for recipe in fitting}
    best = min(fitting, key=lambda recipe: (recipe.name != record.recipe, len(differing[recipe.name])))
    measured = next(name for name in ("last", "unstated", "best") if name in best.top1)
    return Published(best.name, best.source, best.top1[measured], measured, differing[best.name])


def _names(recipe: Recipe) -> list[str]:
    """Return the names of its methods without parsing them, which would take a minute for all recipes."""
    known, words = catalogue(), re.findall(r"[A-Za-z_]\w*(?!\w|\s*=)", str(recipe.options["methods"]))
    return [word for word in words if word in known]

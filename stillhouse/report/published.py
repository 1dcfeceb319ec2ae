"""Published numbers beside ours: which recipe a group's method is nearest to, and in what its protocol differs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..methods.parse import catalogue
from . import labels
from .recipes import Recipe, published
from .records import RunRecord


@dataclass(frozen=True)
class Published:
    """A number that was published for a method on a pair of networks.

    Args:
        recipe: Its name.
        source: Who published it, and where.
        top1: Percent.
        measured: Of the "last" epoch, of the "best" one on the test images, or "unstated".
        differing: Options in which it was trained otherwise than here.
    """

    recipe: str
    source: str
    top1: float
    measured: str
    differing: tuple[str, ...]


def published_for(record: RunRecord) -> Published | None:
    """Return the published number that comes nearest to a run; None if nobody published this method on this pair.

    The recipe has the same data, networks and methods, if need be with other arguments. Of several the one with the
    fewest differences is taken, and of a recipe's numbers the last epoch's where there is one.
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
    best = min(fitting, key=lambda recipe: len(differing[recipe.name]))
    measured = next(name for name in ("last", "unstated", "best") if name in best.top1)
    return Published(best.name, best.source, best.top1[measured], measured, differing[best.name])


def _names(recipe: Recipe) -> list[str]:
    """Return the names of its methods; without parsing them, which would take a minute for all recipes."""
    known, words = catalogue(), re.findall(r"[A-Za-z_]\w*(?!\w|\s*=)", str(recipe.options["methods"]))
    return [word for word in words if word in known]

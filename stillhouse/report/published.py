"""Published numbers beside ours: which recipe a group's method is nearest to, and in what its protocol differs."""

from __future__ import annotations

from dataclasses import dataclass

from ..cli.recipes import Recipe, published
from ..methods.parse import parse
from . import labels
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
    best = min(fitting, key=lambda recipe: len(recipe.differs(here)))
    measured = next(name for name in ("last", "unstated", "best") if name in best.top1)
    return Published(best.name, best.source, best.top1[measured], measured, tuple(best.differs(here)))


def _names(recipe: Recipe) -> list[str]:
    return labels.names([str(method) for method in parse(str(recipe.options["methods"]))])

"""The students of a bench as typed: `CE; CE + KD(temperature=2); my_kd.py:MyKD`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from ..methods import CE
from ..methods.parse import MethodSpec, parse, split


@dataclass(frozen=True)
class Entry:
    """A method of a bench: the losses of one student, and its label in tables.

    Args:
        label: The method as typed, or the name of a recipe.
        methods: Methods whose losses are added up.
        recipe: Published settings that it is trained with, by data and method, such as cifar100/dkd.
    """

    label: str
    methods: tuple[MethodSpec, ...] = ()
    recipe: str | None = None


def students(methods: str | Sequence[str], between: str = "") -> list[Entry]:
    """Return students as typed: separated by semicolons, the losses of one joined by + or commas.

    Args:
        methods: As typed; a list holds the students, or the methods of one student without `between`.
        between: What also separates students if there is no semicolon.

    Raises:
        ValueError: If a method cannot be read.
    """
    if isinstance(methods, str):
        several = split(methods, ";")
        items = several if len(several) > 1 or not between else split(methods, between)
    else:
        items = list(methods) if between else [", ".join(methods)]
    return [Entry(_label(item), tuple(parse(item))) for item in items] or [Entry("", tuple(parse("")))]


def entries(methods: str | Sequence[str] | None, recipes: str | Sequence[str] | None) -> list[Entry]:
    """Return the methods of a bench, each once.

    Args:
        methods: Separated by semicolons, or by commas if there are none, the losses of one joined by +; or a list,
            whose items may be written as for `stillhouse distill`.
        recipes: Names of recipes without their pairs, separated by commas, or a list.

    Raises:
        ValueError: If a method cannot be read or is given twice, or a list is empty.
    """
    for option, value in (("methods", methods), ("recipes", recipes)):
        if value is not None and not (value.strip(" ,") if isinstance(value, str) else value):
            raise ValueError(f"--{option} is empty; name some, or leave it out")
    typed = students(methods, ",") if methods else []
    names = recipes.split(",") if isinstance(recipes, str) else recipes or []
    published = [Entry(name.strip().strip("/"), recipe=name.strip().strip("/")) for name in names]
    found: dict[object, Entry] = {}
    for entry in [*typed, *published]:
        key = entry.recipe or tuple(map(str, entry.methods))
        if key in found:
            raise ValueError(f"{found[key].label} and {entry.label} are the same; leave one out")
        found[key] = entry
    return list(found.values())


def _label(item: str) -> str:
    return " + ".join(part.strip() for term in split(item, "+") for part in split(term, ","))


def learns_alone(methods: Sequence[MethodSpec]) -> bool:
    """Return True for a student that learns only from labels, as in `stillhouse train`; False if it has a teacher."""
    return tuple(map(str, methods)) == _labels_alone()


@cache
def _labels_alone() -> tuple[str, ...]:
    return tuple(map(str, parse("CE")))


def unlabelled(found: Sequence[Entry]) -> Iterator[str]:
    """Yield the names of methods that were typed without a loss on the images' labels."""
    for entry in found:
        if entry.methods and not any(issubclass(method.cls, CE) for method in entry.methods):
            yield entry.label

"""The methods of a bench as typed: `CE, CE + KD(temperature=2), my_kd.py:MyKD`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..methods import CE
from ..methods.parse import MethodSpec, parse

_OPENING, _CLOSING = "([{", ")]}"


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


def entries(methods: str | Sequence[str] | None, recipes: str | Sequence[str] | None) -> list[Entry]:
    """Return the methods of a bench, each once.

    Args:
        methods: Separated by commas, the losses of one joined by +; or a list, whose items may be written as for
            `stillhouse distill`.
        recipes: Names of recipes without their pairs, separated by commas, or a list.

    Raises:
        ValueError: If a method cannot be read or is given twice, or a list is empty.
    """
    for option, value in (("methods", methods), ("recipes", recipes)):
        if value is not None and not (value.strip(" ,") if isinstance(value, str) else value):
            raise ValueError(f"--{option} is empty; name some, or leave it out")
    items = split(methods, ",") if isinstance(methods, str) else methods or []
    typed = [Entry(_label(item), tuple(parse(", ".join(split(item, "+"))))) for item in items]
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


def split(text: str, separator: str) -> list[str]:
    """Split at a separator outside of brackets and quotes, and drop empty parts."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        quote = "" if letter == quote else quote or (letter if letter in "'\"" else "")
        depth += (letter in _OPENING) - (letter in _CLOSING) if not quote else 0
        if letter == separator and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def learns_alone(methods: Sequence[MethodSpec]) -> bool:
    """Return True for a student that learns only from labels, as in `stillhouse train`; False if it has a teacher."""
    return [str(method) for method in methods] == [str(method) for method in parse("CE")]


def unlabelled(found: Sequence[Entry]) -> Iterator[str]:
    """Yield the names of methods that were typed without a loss on the images' labels."""
    for entry in found:
        if entry.methods and not any(issubclass(method.cls, CE) for method in entry.methods):
            yield entry.label

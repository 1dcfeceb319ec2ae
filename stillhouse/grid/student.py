"""The student of a grid, and the same with other settings: arguments of its methods and of its training.

Its network and its methods may be settings as well.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..bench.entries import Entry
from ..bench.plan import Cell, cells
from ..methods.parse import MethodSpec, parse
from ..methods.spec import methods_in, spell
from ..spelling import nearest
from ..training.config import TrainConfig
from .axes import METHODS, STUDENT, Settings, Value, words

OF_TRAINING = tuple(field.name for field in dataclasses.fields(TrainConfig))


@dataclass(frozen=True)
class BaseStudent:
    """A student, before a grid changes its settings.

    Args:
        options: Of `stillhouse distill`: teacher and student at least.
        methods: Whose losses are added up.
        typed: Options that the user gave; they win over `options`.
    """

    options: Mapping[str, object]
    methods: tuple[MethodSpec, ...]
    typed: Mapping[str, Any]

    def check(self, names: Sequence[str]) -> None:
        """Refuse names of settings that this student does not have, or that were given another way.

        Raises:
            ValueError: With the names that there are.
        """
        for name in names:
            if "." in name:
                if METHODS not in names:  # else those of each value are checked when it is set
                    _target(self.methods, name)
            elif name not in (STUDENT, METHODS, *OF_TRAINING):
                arguments = [f"{found.cls.__name__}.{one}" for found in _all(self.methods) for one in found.arguments]
                same = [one for one in arguments if one.rpartition(".")[2] == name]
                hint = f" Did you mean {' or '.join(same)}?" if same else nearest(name, [*OF_TRAINING, *arguments])
                raise ValueError(
                    f"--grid has no {name!r} to vary.{hint} Arguments of methods are written METHOD.ARGUMENT; of the "
                    f"training there are {', '.join(OF_TRAINING)}; {STUDENT} and {METHODS} can be varied as well"
                )
            elif name in self.typed:
                raise ValueError(f"{name} is given by --{name} and varied by --grid; leave one out")

    def cells(self, settings: Settings, seeds: Sequence[int]) -> list[Cell]:
        """Return the student with these settings, once for each seed.

        Raises:
            ValueError: If a value cannot be set.
        """
        of_methods = {name: value for name, value in settings.items() if "." in name}
        others = {name: value for name, value in settings.items() if "." not in name and name != METHODS}
        pair = {**self.options, **others}
        try:
            methods = parse(str(settings[METHODS])) if METHODS in settings else self.methods
            entry = Entry(words(settings), with_arguments(methods, of_methods))
            return cells([pair], [entry], seeds, self.typed)
        except ValueError as error:
            raise ValueError(f"--grid {words(settings)}: {error}") from None


def with_arguments(methods: Sequence[MethodSpec], changes: Mapping[str, Value]) -> tuple[MethodSpec, ...]:
    """Return methods with other arguments.

    Args:
        changes: By METHOD.ARGUMENT; METHOD[2] is the second one of that name, those inside of others counted as well.

    Raises:
        ValueError: If there is no such argument, or it does not take such a value.
    """
    wanted: dict[int, dict[str, Value]] = {}
    for name, value in changes.items():
        place, argument = _target(methods, name)
        wanted.setdefault(place, {})[argument] = value
    places = iter(range(len(list(_all(methods)))))

    def changed(item: Value) -> Value:
        if isinstance(item, list):
            return [changed(one) for one in item]
        if not isinstance(item, MethodSpec):
            return item
        own = wanted.get(next(places), {})
        arguments = {name: changed(value) for name, value in item.arguments.items()} | own
        return item if arguments == item.arguments else spell(item.name, item.constructor, [], arguments)

    found = [changed(item) for item in methods]
    return tuple(item for item in found if isinstance(item, MethodSpec))


def _all(methods: Sequence[MethodSpec]) -> Iterator[MethodSpec]:
    """Yield methods and those inside of them, in the order of their spelling."""
    for item in methods:
        yield item
        for value in item.arguments.values():
            yield from _all(methods_in(value))


def _target(methods: Sequence[MethodSpec], name: str) -> tuple[int, str]:
    """Return the place among all methods, and the argument, that METHOD.ARGUMENT stands for."""
    method, _, argument = name.rpartition(".")
    numbered = re.fullmatch(r"(.+)\[(\d+)\]", method)
    plain = numbered[1] if numbered else method
    found = list(_all(methods))
    mine = [place for place, item in enumerate(found) if plain.lower() in (item.name.lower(), _short(item).lower())]
    if not mine:
        there = list(dict.fromkeys(_short(item) for item in found))
        hint = nearest(plain, there)
        raise ValueError(f"--grid {name}: there is no {plain} among the --methods.{hint} There is {', '.join(there)}")
    if len(mine) > 1 and not numbered:
        ways = " or ".join(f"{plain}[{number}].{argument}" for number in range(1, len(mine) + 1))
        raise ValueError(f"--grid {name}: there are {len(mine)} {plain} among the --methods; write {ways}")
    if numbered and not 1 <= int(numbered[2]) <= len(mine):
        raise ValueError(f"--grid {name}: the --methods have {len(mine)} {plain}, so there is no {method}")
    place = mine[int(numbered[2]) - 1 if numbered else 0]
    known = found[place].arguments
    if argument not in known:
        hint = nearest(argument, known)
        raise ValueError(f"--grid {name}: {plain} has no argument {argument!r}.{hint} It takes {', '.join(known)}")
    return place, argument


def _short(item: MethodSpec) -> str:
    return item.cls.__name__

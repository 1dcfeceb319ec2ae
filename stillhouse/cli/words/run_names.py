"""Names of runs: folders tell what is trained, the seed, and settings that are not at their defaults."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ...ranges import TYPE_CHECKING
from ..groups.length import EpochOptions
from ..groups.run import RunOptions
from .suited import SUITED

if TYPE_CHECKING:
    from ...data import Data
    from ...methods.spec import MethodSpec

_ELSEWHERE = ("data", "image_size", "workers", "skip_broken")  # named by the data, or part of no run
_LONGEST = 60  # letters of the methods


@dataclass(frozen=True)
class NameOptions:
    """Data, seed, device and output folder.

    Args:
        name: Beginning of the name of the run's folder, for new runs; by default it says what is trained and each
            setting that is not at its default.
    """

    name: str | None = None

    def __post_init__(self) -> None:
        if self.name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}", self.name):
            raise ValueError(
                f"--name must be at most 100 letters, digits and _ . + -, and begin with a letter or a digit, not "
                f"{self.name!r}"
            )


@dataclass(frozen=True)
class ShowOptions:
    """Data, seed, device and output folder.

    Args:
        terms: Loss terms to show after each epoch; metrics.jsonl always holds all of them.
    """

    terms: Literal["largest", "all"] = "largest"


def name_of_run(what: str, data: Data, options: RunOptions, methods: Sequence[MethodSpec] = ()) -> str:
    """Return the name of a run's folder, without the hash at its end.

    Args:
        what: The network, and its teacher if it has one.
        methods: Methods that it learns by, if it has a teacher.
    """
    from ...training.run_folder import MAX_SLUG

    parts = [data.name, what, *([name_of_methods(methods)[:_LONGEST]] if methods else [])]
    parts += [f"seed{options.output.seed}", *_settings(data, options)]
    return "-".join(parts)[:MAX_SLUG]


def name_of_methods(methods: Sequence[MethodSpec]) -> str:
    """Return the methods with all arguments that are not at their defaults: CE+KD_temperature2."""
    return "+".join(_method(method) for method in methods)


def _method(method: MethodSpec) -> str:
    from ...methods.spec import methods_in

    build = getattr(method.cls, method.constructor) if method.constructor else method.cls
    defaults = {name: one.default for name, one in inspect.signature(build).parameters.items()}
    name = ".".join(part for part in (method.cls.__name__, method.constructor) if part)
    for argument, value in method.arguments.items():
        if inner := methods_in(value):
            name += f".{name_of_methods(inner)}"
        elif _short(value) != _short(defaults.get(argument)):  # a list may be a tuple among the defaults
            name += f"_{argument}{_short(value)}"
    return name


def _settings(data: Data, options: RunOptions) -> Iterator[str]:
    """Yield the settings of a training that are not at the defaults for the data, as lr0.1."""
    usual, suited = EpochOptions().complete(type(options.config)(), data), SUITED.get(data.name, {})
    groups = ((options.config, usual), (options.split, type(options.split)()), (options.data, type(options.data)()))
    for group, default in groups:
        for field in dataclasses.fields(group):
            value = getattr(group, field.name)
            usually = suited.get(field.name, getattr(default, field.name))
            if field.name not in _ELSEWHERE and value != usually:
                yield field.name if value is True else f"{field.name}{_short(value)}"


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "_".join(map(_short, value)) if isinstance(value, list | tuple) else str(value)

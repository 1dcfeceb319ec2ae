"""Commands to be pasted, which do what was done with everything that was decided otherwise than they would."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from typing import Any

from ..arguments import named_values, parse


def pasted(
    name: str,
    options: type[Any],
    own: Mapping[str, object],
    wanted: Mapping[str, object],
    but: Collection[str] = (),
    typed: Mapping[str, object] | None = None,
) -> str:
    """Return a command as it is typed.

    Args:
        name: Of the command.
        options: Its dataclass of options.
        own: Options that it must have; those of None are left to the command.
        wanted: Values to be in force. Those that the command has as options and would decide otherwise are added.
        but: Names among `wanted` that the command decides.
        typed: Options that stand first, if the command has them, even where it would decide the same.
    """
    known = named_values(parse(name, options, []))
    first = {**{option: value for option, value in (typed or {}).items() if option in known}, **own}
    read = named_values(parse(name, options, shlex.split(_words(first))))
    told = {
        option: value
        for option, value in wanted.items()
        if option in read and option not in (*own, *but) and read[option] != value
    }
    return f"stillhouse {name}{_words({**first, **told})}"


def _words(values: Mapping[str, object]) -> str:
    return "".join(f" --{name} {shlex.quote(_word(value))}" for name, value in values.items() if value is not None)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

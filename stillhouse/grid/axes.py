"""The axes of a grid as they are typed: `KD.temperature=2,4,8; lr=0.01..0.1:5log; CE.weight/KD.weight=0.2/0.8,1/0`."""

from __future__ import annotations

import ast
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..methods.parse import parse, split
from ..methods.spec import as_text, catalogue

Value = object  # a plain value, a `MethodSpec`, or a list of either
Settings = Mapping[str, Value]  # by the name of what is set: lr, or KD.temperature
STUDENT, METHODS = "student", "methods"  # settings whose values are texts: networks, and methods joined by +
MOST = 10_000  # cells of a grid
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_SPAN = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?::(?=\d|log)(\d*)(log)?)?")
_DIGITS = 4  # of numbers inside a span


@dataclass(frozen=True)
class Span:
    """All numbers from `low` to `high`, for a search.

    Args:
        is_log: Each factor counts the same, not each difference.
    """

    low: float
    high: float
    is_log: bool = False

    @property
    def is_whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def steps(self, count: int) -> list[Value]:
        """Return `count` numbers from the lowest to the highest, those in between with few digits."""
        parts = [number / (count - 1) for number in range(1, count - 1)]
        if self.is_log:
            inner = [self.low * (self.high / self.low) ** part for part in parts]
        else:
            inner = [self.low + (self.high - self.low) * part for part in parts]
        return [self.low, *(self.rounded(number) for number in inner), self.high]

    def rounded(self, number: float) -> float:
        """Return a number of this span as it is tried: whole where the ends are, else with few digits."""
        short = round(number) if self.is_whole else float(f"{number:.{_DIGITS}g}")
        return min(max(short, self.low), self.high)


@dataclass(frozen=True)
class Axis:
    """A setting to vary, or several that change together, and the values.

    Args:
        names: Of what is set; several change together.
        points: For each value of the axis one value for each name; or the span of the only name.
    """

    names: tuple[str, ...]
    points: tuple[tuple[Value, ...], ...] | Span

    @property
    def name(self) -> str:
        return "/".join(self.names)

    def settings(self, point: Sequence[Value]) -> dict[str, Value]:
        return dict(zip(self.names, point, strict=True))

    def point(self, settings: Settings) -> tuple[Value, ...]:
        return tuple(settings[name] for name in self.names)


def read_axes(text: str | Sequence[str] | Mapping[str, object]) -> list[Axis]:
    """Return the axes of a grid.

    Args:
        text: Axes separated by semicolons, a list of such texts, or a mapping from names to lists of values.

    Raises:
        ValueError: If one cannot be read, or something is set by two of them.
    """
    if isinstance(text, Mapping):
        found = [_axis(str(name), value) for name, value in text.items()]
    else:
        texts = [text] if isinstance(text, str) else text
        found = [_typed(one) for item in texts for one in split(item, ";")]
    if not found:
        raise ValueError("--grid is empty; write what to vary, such as --grid 'KD.temperature=2,4,8; lr=0.05,0.1'")
    names = [name for axis in found for name in axis.names]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"--grid sets {name} twice; write each name once, with all its values")
    return found


def combinations(axes: Sequence[Axis]) -> list[Settings]:
    """Return every combination of the axes' values, the last axis fastest.

    Raises:
        ValueError: If there are too many, or an axis has no end of values.
    """
    lists: list[list[dict[str, Value]]] = []
    for axis in axes:
        if isinstance(axis.points, Span):
            low, high = as_text(axis.points.low), as_text(axis.points.high)
            raise ValueError(
                f"--grid {axis.name}={low}..{high} names no number of values; write {axis.name}={low}..{high}:5 (or "
                ":5log), or let --search choose among all of them"
            )
        lists.append([axis.settings(point) for point in axis.points])
    if (count := math.prod(map(len, lists))) > MOST:
        raise ValueError(f"--grid must have at most {MOST:,} cells, not {count:,}; leave some values out, or --search")
    return [dict(itertools.chain.from_iterable(one.items() for one in parts)) for parts in itertools.product(*lists)]


def words(settings: Settings) -> str:
    """Return settings as tables and pictures show them; a student and its methods need no names."""
    parts = {name: shown(value) for name, value in settings.items()}
    return ", ".join(part if name in (STUDENT, METHODS) else f"{name}={part}" for name, part in parts.items())


def shown(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else value if isinstance(value, str) else as_text(value)


def _typed(text: str) -> Axis:
    name, equals, values = text.partition("=")
    if not equals or not values.strip():
        raise ValueError(f"--grid {text!r} must be NAME=VALUE,VALUE,... such as KD.temperature=2,4,8")
    return _axis(name, values)


def _axis(name: str, values: object) -> Axis:
    names = tuple(part.strip() for part in name.split("/"))
    if not all(names):
        raise ValueError(f"--grid {name.strip()!r} has an empty name; write NAME=VALUES, or NAME/NAME=VALUE/VALUE,...")
    items = split(values, ",") if isinstance(values, str) else values if isinstance(values, list) else [values]
    whole = _SPAN.fullmatch(items[0].strip()) if len(items) == 1 and isinstance(items[0], str) else None
    if whole and len(names) == 1:
        points = _span(name.strip(), whole)
        if isinstance(points, Span):
            return Axis(names, points)
        return Axis(names, tuple((value,) for value in points))
    found = tuple(_point(names, item) for item in items)
    if not found:
        raise ValueError(f"--grid {'/'.join(names)} has no values; write some, such as {'/'.join(names)}=1,2")
    texts = [" / ".join(map(as_text, point)) for point in found]
    for one in texts:
        if texts.count(one) > 1:
            raise ValueError(f"--grid {'/'.join(names)} has the value {one} twice; leave one out")
    return Axis(names, found)


def _point(names: Sequence[str], item: object) -> tuple[Value, ...]:
    if len(names) == 1:
        return (_value(names[0], item, names) if isinstance(item, str) else item,)
    parts = split(item, "/") if isinstance(item, str) else item
    if not isinstance(parts, list | tuple) or len(parts) != len(names):
        raise ValueError(
            f"--grid {'/'.join(names)}: {item} must be {len(names)} values, one for each name, such as "
            f"{'/'.join('12345'[: len(names)])}"
        )
    pairs = zip(names, parts, strict=True)
    return tuple(_value(name, part, names) if isinstance(part, str) else part for name, part in pairs)


def _value(one: str, text: str, names: Sequence[str]) -> Value:
    """Return a value of one of the names that change together: a plain one, a method, or else the text itself."""
    name = "/".join(names)
    if one in (STUDENT, METHODS):
        return text.strip()
    if _SPAN.fullmatch(text.strip()):
        raise ValueError(f"--grid {name}: the range {text.strip()} must stand alone, without other values beside it")
    if text.strip().lower() in ("true", "false"):
        return text.strip().lower() == "true"
    try:
        plain: Value = ast.literal_eval(text.strip())
        return list(plain) if isinstance(plain, tuple) else plain
    except (ValueError, SyntaxError):
        called = re.split(r"[(.\s]", text.strip(), maxsplit=1)[0]
        is_method = called.lower() in {known.lower() for known in catalogue()} or re.search(r":[A-Za-z_]", text)
        return parse(text)[0] if is_method else _text(name, text.strip())


def _text(name: str, text: str) -> str:
    if not re.fullmatch(r"[\w.:+~-]+", text):
        raise ValueError(f"--grid {name}: {text!r} is neither a number, a method nor a word; quote it if it is text")
    return text


def _span(name: str, match: re.Match[str]) -> Span | list[Value]:
    low, high = (_number(part) for part in match.group(1, 2))
    count, is_log = match[3], bool(match[4])
    if not low < high:
        raise ValueError(f"--grid {name}={match[0]} must go from a number to a larger one")
    if is_log and low <= 0:
        raise ValueError(f"--grid {name}={match[0]} must begin above 0, for log has no value at 0 and below")
    span = Span(low, high, is_log)
    if not count:
        few = span.is_whole and not is_log and high - low < MOST and match[0] == f"{match[1]}..{match[2]}"
        return list(range(int(low), int(high) + 1)) if few else span
    if not 2 <= int(count) <= MOST:
        raise ValueError(f"--grid {name}={match[0]}: the number of values must be from 2 to {MOST:,}, not {count}")
    values = list(dict.fromkeys(span.steps(int(count))))
    if len(values) < int(count):
        raise ValueError(f"--grid {name}={match[0]} has only {len(values)} different values; ask for fewer")
    return values


def _number(text: str) -> float:
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)


def numbers(axis: Axis) -> Iterator[float]:
    """Yield the values of an axis that has only numbers, one for each point; nothing for any other axis."""
    points = () if isinstance(axis.points, Span) else axis.points
    found = [point[0] for point in points if len(point) == 1]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in found):
        yield from (float(value) for value in found if isinstance(value, int | float))

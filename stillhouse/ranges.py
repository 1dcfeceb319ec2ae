"""Ranges of numbers and sets of words, declared in annotations (`temperature: Positive`), checked in one place."""

import functools
import inspect
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

C = TypeVar("C", bound=Callable[..., None])
LARGEST = 1e9  # for any number without another bound
TYPE_CHECKING = False  # as in typing; but what stands below that one jsonargparse runs, which would import PyTorch


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included unless the rule says otherwise.

    Args:
        rule: The words after "must be" in messages: positive, at least 1.
        above: Exclude `low` itself.
        below: Exclude `high` itself.
    """

    rule: str
    low: float
    high: float = LARGEST
    above: bool = False
    below: bool = False

    def __repr__(self) -> str:
        return self.rule

    def complaint(self, value: float) -> str | None:
        """Return the problem with a number, such as "must be positive, not 0"; None for a number in the range."""
        if isinstance(value, float) and not math.isfinite(value):
            return f"must be a finite number, not {value}"
        if value > self.high and self.high >= LARGEST:
            return f"must be at most {shown(self.high)}, not {shown(value)}"
        if value < self.low or value > self.high or (self.above and value == self.low):
            return f"must be {self.rule}, not {shown(value)}"
        return f"must be {self.rule}, not {shown(value)}" if self.below and value == self.high else None


@dataclass(frozen=True)
class Filled:
    """A sequence, or a text, that is not empty."""

    def __repr__(self) -> str:
        return "not empty"


Positive = Annotated[float, Range("positive", 0, above=True)]
NonNegative = Annotated[float, Range("0 or more", 0)]
Number = Annotated[float, Range(f"between {-LARGEST:g} and {LARGEST:g}", -LARGEST)]
Fraction = Annotated[float, Range("between 0 and 1", 0, 1)]
ProperFraction = Annotated[float, Range("at least 0 and below 1", 0, 1, below=True)]
Part = Annotated[float, Range("above 0 and at most 1", 0, 1, above=True)]  # of a whole
Temperature = Annotated[float, Range("at least 0.001, because logits are divided by it", 1e-3)]
Count = Annotated[int, Range("at least 1", 1)]
Size = Annotated[int, Range("between 1 and 64", 1, 64)]  # of a grid of pixels: the cost grows with its square
Width = Annotated[int, Range("between 1 and 10,000", 1, 10_000)]  # of a layer
Whole = Annotated[int, Range("0 or more", 0)]
Seed = Annotated[int, Range("a whole number of 64 bits", -(2.0**63), 2.0**63, below=True)]


Crop = Literal["auto", "shifted", "reflected", "resized", "none"]  # the part of a training image that is shown
Resize = Literal["crop", "squash", "pad", "squash_crop"]  # the way to make images square
ExportKind = Literal["onnx", "int8", "pt2", "torchscript"]  # of a student's file for other programs


def shown(value: float) -> str:
    """Return a number as messages show it, even a very long one."""
    if isinstance(value, int) and abs(value) < 10**15:
        return str(value)
    try:
        return f"{value:g}"
    except OverflowError:
        return "a number of more than 300 digits"


def complaint(value: object, hint: object) -> str | None:
    """Return the problem with a value, given its annotation; None if it fits, or if nothing is declared."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is Annotated:
        for rule in arguments[1:]:
            if isinstance(rule, Filled) and isinstance(value, Sequence) and not value:
                return "must not be empty"
            if isinstance(rule, Range) and isinstance(value, float) and arguments[0] is int and value % 1:
                return f"must be a whole number, not {value:g}"
            if isinstance(rule, Range) and isinstance(value, int | float):
                return rule.complaint(value)
            if isinstance(rule, Range) and isinstance(value, str | None):
                return f"must be a number, not {value!r}"
        return complaint(value, arguments[0])
    if value is None:
        return None
    if isinstance(value, str):
        return _other_text(value, hint)
    if isinstance(value, Sequence):
        found = [complaint(item, argument) for item in value for argument in _of_items(hint)]
        return next((one for one in found if one), None)
    if isinstance(value, float) and not math.isfinite(value):
        return f"must be a finite number, not {value}"
    found = [complaint(value, argument) for argument in arguments if typing.get_origin(argument) is Annotated]
    return found[0] if found else None


def _other_text(value: str, hint: object) -> str | None:
    """Return the problem with a text where only certain texts, or numbers, are allowed."""
    arguments = typing.get_args(hint)
    texts = [one for part in (hint, *arguments) if typing.get_origin(part) is Literal for one in typing.get_args(part)]
    annotated = [typing.get_args(part)[0] for part in arguments if typing.get_origin(part) is Annotated]
    numbers = int in annotated or float in annotated
    if value in texts or not (texts or numbers) or str in arguments:
        return None
    meant = [repr(text) for text in texts] + (["a number"] if numbers else [])
    return f"must be {' or '.join(meant)}, not {value!r}"


def _of_items(hint: object) -> list[object]:
    """Return the annotations of a sequence's items, even where the sequence is one of several alternatives."""
    found: list[object] = []
    for argument in typing.get_args(hint):
        found += [argument] if typing.get_origin(argument) is Annotated else _of_items(argument)
    return found


def check(arguments: Mapping[str, object], hints: Mapping[str, object], before: str) -> None:
    """Check values against their annotations.

    Args:
        before: Text before the name of an argument in messages: "KD: " or "--".

    Raises:
        ValueError: If a value is out of its range.
    """
    for name, value in arguments.items():
        wrong = complaint(value, hints.get(name))
        if wrong:
            raise ValueError(f"{before}{name} {wrong}")


def check_options(options: Any) -> None:
    """Check the fields of a dataclass of options against their annotations, from its `__post_init__`.

    Raises:
        ValueError: If a value is out of its range.
    """
    hints = declared(type(options))  # type: ignore[arg-type] # a class can be hashed
    check({name: getattr(options, name) for name in hints}, hints, "--")


def _checked(init: C) -> C:
    """Make a constructor check its arguments against their annotations before it runs."""

    @functools.wraps(init)
    def checking(self: object, *args: object, **kwargs: object) -> None:
        given = inspect.signature(init).bind(self, *args, **kwargs).arguments
        check(given, declared(init), f"{type(self).__name__}: ")
        init(self, *args, **kwargs)

    return typing.cast(C, checking)


class Checked:
    """A base class whose constructors, and those of subclasses, check their arguments against their annotations."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = _checked(cls.__init__)  # type: ignore[method-assign] # the same constructor, with the check


@functools.cache
def declared(annotated: Any) -> Mapping[str, object]:
    """Return the annotations of a constructor or of a dataclass's fields; empty if they cannot be resolved."""
    try:
        return typing.get_type_hints(annotated, include_extras=True)
    except NameError:  # some names are imported for type checkers only
        return {}

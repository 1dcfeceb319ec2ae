"""One line for each epoch of a student, in fixed columns that fit the screen whatever the names and the losses are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..spelling import shortened

_EPOCH, _TERM, _PERCENT, _TIME = 7, 12, 7, 7  # letters
_NUMBERS = 2 + _EPOCH + 2 + _TERM + 1 + _TERM + 2 + _PERCENT + 1 + _PERCENT + 1 + _TIME
_SECONDS = 1 + _TIME  # a column for wide screens
_DIGITS = 8  # letters of a loss
_SHOWN = 2  # terms: the largest ones


@dataclass(frozen=True)
class Columns:
    """The widths of the columns.

    Args:
        name: Letters for the names of students; longer names lose their middle.
        has_seconds: True for a column with the seconds that the epoch took.
    """

    name: int
    has_seconds: bool

    @classmethod
    def fitting(cls, width: int | None, names: Sequence[str]) -> Columns:
        """Return columns for a screen of this many letters, or for a file, whose lines may have any length."""
        longest = max(map(len, names), default=0)
        if width is None:
            return cls(longest, True)
        name = max(min(longest, width - _NUMBERS), 8)
        return cls(name, width >= name + _NUMBERS + _SECONDS)

    def heading(self) -> str:
        """Return the names of the columns."""
        terms = "largest losses".ljust(_TERM + 1 + _TERM)
        seconds = f" {'seconds':>{_TIME}}" if self.has_seconds else ""
        left = f"{'left':>{_TIME}}"
        return f"{'':{self.name}}  {'epoch':>{_EPOCH}}  {terms}  {'top-1 %':>7} {'agree %':>7}{seconds} {left}"

    def line(
        self,
        name: str,
        epoch: str,
        terms: Mapping[str, float],
        top1: float | None,
        agreement: float | None,
        seconds: float | None,
        left: str,
    ) -> str:
        """Return a line; numbers that are None leave their columns empty.

        Args:
            epoch: Its number and that of all epochs, 3/12.
            terms: The loss terms by name.
        """
        first, second = [*(_term(*term) for term in largest(terms).items()), "", ""][:2]
        shares = " ".join(f"{'' if one is None else f'{one:.2f}':>{_PERCENT}}" for one in (top1, agreement))
        took = f" {'' if seconds is None else f'{seconds:.1f}':>{_TIME}}" if self.has_seconds else ""
        begin = f"{shortened(name, self.name):{self.name}}  {epoch:>{_EPOCH}}"
        return f"{begin}  {first:{_TERM}} {second:{_TERM}}  {shares}{took} {left:>{_TIME}}".rstrip()


def largest(terms: Mapping[str, float]) -> dict[str, float]:
    """Return the largest loss terms, in their usual order."""
    kept = sorted(terms, key=lambda name: -abs(terms[name]))[:_SHOWN]
    return {name: value for name, value in terms.items() if name in kept}


def in_words(terms: Mapping[str, float]) -> str:
    """Return all loss terms with their names."""
    return "  ".join(f"{name} {_number(value)}" for name, value in terms.items())


def _term(name: str, value: float) -> str:
    number = _number(value)
    return f"{shortened(name, max(_TERM - 1 - len(number), 2))} {number}"


def _number(value: float) -> str:
    text = f"{value:#.4g}".rstrip(".")
    return text if len(text) <= _DIGITS else f"{value:.1e}"

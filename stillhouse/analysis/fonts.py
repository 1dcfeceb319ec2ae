"""Names of classes in any script that the fonts of this machine can draw."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

_FIRST = "DejaVu Sans"  # comes with matplotlib, so figures look the same everywhere
_PLACEHOLDERS = ("Last Resort",)  # fonts that draw a box for every character
_LONGEST = 40  # columns of a name in a figure


@dataclass(frozen=True)
class Lettering:
    """The fonts that together can draw some texts, and the characters that none of them has.

    Args:
        families: Names of fonts; each character is drawn in the first that has it.
        missing: Characters that cannot be drawn.
    """

    families: tuple[str, ...]
    missing: frozenset[str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Lettering:
        """Choose as few fonts as possible, matplotlib's own first."""
        families, missing = [_FIRST], set("".join(texts)) - _characters(_FIRST)
        for family in sorted({font.name for font in fontManager.ttflist} if missing else ()):
            if missing and not family.startswith(_PLACEHOLDERS) and missing & _characters(family):
                families.append(family)
                missing -= _characters(family)
        return cls(tuple(families), frozenset(missing))

    def text(self, text: str) -> str:
        """Return a text with a question mark for each character that cannot be drawn."""
        return "".join("?" if character in self.missing else character for character in text)

    def names(self, names: Sequence[str]) -> list[str]:
        """Return the names for display: shortened, and followed by the class's number where a name cannot be drawn."""
        shown = [self.text(name) + f" #{i}" * bool(self.missing & set(name)) for i, name in enumerate(names)]
        return [_shortened(name) for name in shown]


def columns_of(text: str) -> int:
    """Return the width of a text in letters; characters of some scripts are two wide."""
    return sum(1 + (unicodedata.east_asian_width(character) in "WF") for character in text)


def _shortened(name: str) -> str:
    """Return a name without its middle if it is too long for a figure."""
    if columns_of(name) <= _LONGEST:
        return name
    letters = _LONGEST * len(name) // columns_of(name)
    return f"{name[: letters - 8]}...{name[-5:]}"


@contextmanager
def without_font_messages() -> Iterator[None]:
    """Silence matplotlib's log about fonts without a bold variant: the plain one, which it uses, is fine."""
    log = logging.getLogger("matplotlib.font_manager")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


@cache
@without_font_messages()
def _characters(family: str) -> frozenset[str]:
    """Return the characters of a family, regular and bold; none if it cannot be read."""
    try:
        paths = [findfont(FontProperties(family=family, weight=weight)) for weight in ("normal", "bold")]
        maps = [frozenset(map(chr, get_font(path).get_charmap())) for path in paths]
    except (RuntimeError, OSError, ValueError):  # colour emoji, and anything else that FreeType refuses
        return frozenset()
    return frozenset.intersection(*maps)

"""The help of a command in plain words: the values of an option, not the name of its type."""

import re
import textwrap
from argparse import Action
from collections.abc import Mapping
from typing import ClassVar

from jsonargparse import DefaultHelpFormatter

from ...spelling import KINDS

_DETAILS = re.compile(
    r" \((?P<required>required)?(?:, )?(?:type: (?P<type>.*?))?(?:, )?(?:default: (?P<default>.*))?\)$", re.DOTALL
)


class HelpFormatter(DefaultHelpFormatter):
    """jsonargparse's formatter: plain words for types, no empty defaults, and headings that fit the screen."""

    defaults: ClassVar[Mapping[str, str]] = {}

    def start_section(self, heading: str | None) -> None:
        super().start_section(heading and textwrap.fill(heading, self._width - 1))

    def _expand_help(self, action: Action) -> str:
        text = super()._expand_help(action)
        matches = (_DETAILS.match(text, opening) for opening in _openings(text))
        found = next((match for match in matches if match), None)
        return (
            text
            if found is None
            else text[: -len(found[0])] + plain_details(found, self.defaults.get(action.dest, "{}"))
        )


def formatter(defaults: Mapping[str, str]) -> type[HelpFormatter]:
    """Return a formatter for a command whose options have other defaults than they declare.

    Args:
        defaults: Words for the defaults by the names of the options; {} stands for the declared one.
    """

    class Formatter(HelpFormatter):
        pass

    Formatter.defaults = defaults
    return Formatter


def _openings(text: str) -> list[int]:
    return [found.start() for found in re.finditer(r" \((?=required|type: |default: )", text)]


def plain_details(found: re.Match[str], default: str = "{}") -> str:
    """Translate " (type: int | null, default: null)" to " (a whole number)", and so on; to "" if nothing is left.

    Args:
        default: Words for the default, in which {} stands for the declared one.
    """
    rules = re.findall(r"Annotated\[\w+, ([^\]]+)\]", found["type"] or "")
    kinds = [KINDS[kind] for kind in re.findall(r"\b(?:tuple|int|float)\b", found["type"] or "")]
    words = [found["required"] or "", *(rules or kinds)[:1]]
    declared = found["default"] if found["default"] not in (None, "null") else ""
    declared = declared.strip("()") if declared.startswith("(") else declared
    declared = declared.lower() if declared in ("True", "False") else declared
    if declared or "{}" not in default:
        words.append(f"default: {default.format(declared)}")
    said = ", ".join(word for word in words if word)
    return f" ({said})" if said else ""

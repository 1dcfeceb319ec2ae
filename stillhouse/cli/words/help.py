"""The help of a command in plain words: the values of an option, not the name of its type."""

import re
import textwrap
from argparse import Action

from jsonargparse import DefaultHelpFormatter

from ...spelling import KINDS

_DETAILS = re.compile(
    r" \((?P<required>required)?(?:, )?(?:type: (?P<type>.*?))?(?:, )?(?:default: (?P<default>.*))?\)$", re.DOTALL
)


class HelpFormatter(DefaultHelpFormatter):
    """jsonargparse's formatter: plain words for types, no empty defaults, and headings that fit the screen."""

    def start_section(self, heading: str | None) -> None:
        super().start_section(heading and textwrap.fill(heading, self._width - 1))

    def _expand_help(self, action: Action) -> str:
        text = super()._expand_help(action)
        matches = (_DETAILS.match(text, opening) for opening in _openings(text))
        found = next((match for match in matches if match), None)
        return text if found is None else text[: -len(found[0])] + plain_details(found)


def _openings(text: str) -> list[int]:
    return [found.start() for found in re.finditer(r" \((?=required|type: |default: )", text)]


def plain_details(found: re.Match[str]) -> str:
    """Translate " (type: int | null, default: null)" to " (a whole number)", and so on; to "" if nothing is left."""
    rules = re.findall(r"Annotated\[\w+, ([^\]]+)\]", found["type"] or "")
    kinds = [KINDS[kind] for kind in re.findall(r"\b(?:tuple|int|float)\b", found["type"] or "")]
    words = [found["required"] or "", *(rules or kinds)[:1]]
    if found["default"] not in (None, "null"):
        default = found["default"].strip("()") if found["default"].startswith("(") else found["default"]
        words.append(f"default: {default.lower() if default in ('True', 'False') else default}")
    said = ", ".join(word for word in words if word)
    return f" ({said})" if said else ""

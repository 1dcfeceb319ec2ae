"""Text and tables in Markdown, as GitHub and the Hugging Face Hub show it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..spelling import printable


def escaped(text: object) -> str:
    """Return a text that is shown letter by letter, in one line."""
    words = printable(" ".join(str(text).split()))
    words = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]|#~$@!])", r"\\\1", words)


def row(cells: Iterable[str]) -> str:
    """Return a row of a table, whose cells are escaped already."""
    return f"| {' | '.join(cells)} |"


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table, its cells escaped."""
    return "\n".join([row(map(escaped, headings)), row(["---"] * len(headings)), *(row(map(escaped, r)) for r in rows)])

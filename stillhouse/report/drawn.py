"""Figures as elements of a page, and as files of their own where they are wanted."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from ..analysis import plots
from ..analysis.plots import CATEGORIES, FAINT, FORMATS, INK, PALE

_VARIABLES = {INK: "--ink", FAINT: "--faint", PALE: "--pale", **{c: f"--c{i}" for i, c in enumerate(CATEGORIES)}}
_LONGEST = 120  # letters of a file's name


@dataclass
class Drawn:
    """The figures of a page.

    Args:
        folder: Also write each figure into this folder, on white and with fixed colours, as a paper needs it.
        formats: The formats of these files.
        files: Their names without the endings, in the order of the page.
    """

    folder: Path | None = None
    formats: Sequence[str] = FORMATS
    files: list[str] = field(default_factory=list)
    _count: int = 0

    def element(self, figure: Figure, title: str) -> str:
        """Return a figure as SVG that takes its colours from the page, with unique ids for its references."""
        self._count += 1
        text = _svg(figure, title, f"p{self._count}-")
        if self.folder is not None:
            figure.set_facecolor("white")
            figure.set_dpi(plots.DPI)  # letters have other widths at other sizes
            self.files.append(self._free(_slug(title)))
            plots.save(figure, self.folder / self.files[-1], self.formats)
        return text

    def _free(self, name: str) -> str:
        """Return the name, with a number if it is taken: groups may differ in settings alone."""
        names = (name, *(f"{name}-{number}" for number in range(2, self._count + 2)))
        return next(one for one in names if one not in self.files)


def _slug(title: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", title.replace(" -> ", " to ")).strip("-.").lower()[:_LONGEST]


def _svg(figure: Figure, title: str, prefix: str) -> str:
    for axes in figure.axes:
        axes.set_facecolor("none")
    content = io.StringIO()
    figure.savefig(content, format="svg", metadata={"Date": None}, transparent=True)
    text = content.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{prefix}", text)
    text = re.sub(r'^(<svg[^>]*?) width="[^"]*"', r"\1", text)
    text = re.sub(r'^(<svg[^>]*?) height="[^"]*"', r"\1", text)
    text = text.replace("<svg ", f'<svg role="img" aria-label="{_attribute(title)}" ', 1)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return text.replace("#ffffff", "var(--page)")


def _attribute(text: str) -> str:
    escapes = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
    return "".join(escapes.get(sign, sign) for sign in text)

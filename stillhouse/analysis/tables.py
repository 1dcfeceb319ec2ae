"""Tables of results that fit the width of the terminal: one line for each row."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..spelling import printable, shortened

_LEAST = 20  # letters of a name, before columns are left out
_SHORTEST = 8  # letters of a name, at least
_DESCRIPTION = 40  # letters a line of a description, before other columns are broken into lines


@dataclass(frozen=True)
class Line:
    """A network in a table of results; accuracies are in percent, None if not measured."""

    name: str
    parameters: int
    macs: int  # multiply-accumulates for one image
    top1: float | None
    best: float | None = None  # of all epochs, on the test images: never the headline
    agreement: float | None = None  # with the teacher


@dataclass(frozen=True)
class Fitting:
    """A table with one line for each row at any width.

    Args:
        headings: Headings of the columns.
        rows: Cells of each row; an empty row ends a section, and a row of one cell is the title of the next one, which
            takes the whole width and more lines if it needs them.
        ranked: Columns that may be left out, the ones that matter most first.
        title: A line above the table.
        names: The number of columns at the left that hold names, which may lose their middle.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[Text | str]]
    ranked: Sequence[str] = ()
    title: str | None = None
    names: int = 1

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = zip(self.headings, *(row for row in self.rows if len(row) > 1), strict=True)
        widths = [max(cell_len(printable(str(cell))) for cell in column) for column in columns]
        least = [min(width, _LEAST // self.names) if i < self.names else width for i, width in enumerate(widths)]
        kept = {i for i, heading in enumerate(self.headings) if heading not in self.ranked}
        for heading in self.ranked:
            place = self.headings.index(heading)
            if _width([least[i] for i in {*kept, place}]) <= options.max_width:
                kept.add(place)
        while (over := _width([widths[i] for i in kept]) - options.max_width) > 0:
            longest = max(range(self.names), key=widths.__getitem__)
            if widths[longest] <= _SHORTEST:
                break
            widths[longest] = max(_SHORTEST, widths[longest] - over)
        if self.title is not None:
            yield Text(printable(self.title), style="italic")
        titles = [i for i, row in enumerate(self.rows) if len(row) == 1 < len(self.headings)]
        yield self._table(sorted(kept), widths, self.rows[: titles[0] if titles else None])
        for begin, end in pairwise([*titles, len(self.rows)]):
            yield Text(printable(str(self.rows[begin][0])), "bold")
            part = self._table(sorted(kept), widths, self.rows[begin + 1 : end], is_first=False)
            yield Padding(part, (0, 0, 1, 1), expand=False)
        if left_out := [heading for i, heading in enumerate(self.headings) if i not in kept]:
            yield Text(f"left out at this width: {', '.join(left_out)}", style="dim")

    def _table(
        self, kept: Sequence[int], widths: Sequence[int], rows: Sequence[Sequence[Text | str]], is_first: bool = True
    ) -> Table:
        """Return a part of the table, whose columns are as wide as in all others; the first one has the headings."""
        table = Table(box=box.SIMPLE_HEAD, show_header=is_first, show_edge=is_first)
        for i in kept:
            is_name = i < self.names
            table.add_column(
                Text(self.headings[i]), justify="left" if is_name else "right", no_wrap=True, min_width=widths[i]
            )
        for row in rows:
            if not row:
                table.add_section()
                continue
            table.add_row(*(_cut(row[i], widths[i]) if i < self.names else row[i] for i in kept))
        return table


def _width(columns: Sequence[int]) -> int:
    """Return the letters that columns take with the space between them."""
    return sum(columns) + 3 * len(columns) + 1


def _cut(cell: Text | str, letters: int) -> Text:
    text, style = (cell.plain, cell.style) if isinstance(cell, Text) else (cell, "")
    return Text(shortened(printable(text), letters), style)


def comparison(lines: Sequence[Line], title: str) -> Fitting:
    """Return a table of networks: the last epoch's result, the best epoch's, and the agreement with the teacher."""
    columns = {
        "parameters": [f"{line.parameters:,}" for line in lines],
        "MACs": [magnitude(line.macs) for line in lines],
        "top-1 %": [percent(line.top1) for line in lines],
        "best %": [percent(line.best) for line in lines],
        "agreement %": [percent(line.agreement) for line in lines],
    }
    columns = {heading: cells for heading, cells in columns.items() if any(cells)}
    rows = [(line.name, *cells) for line, *cells in zip(lines, *columns.values(), strict=True)]
    ranked = [heading for heading in ("agreement %", "best %", "parameters", "MACs") if heading in columns]
    return Fitting(["network", *columns], rows, ranked, title)


@dataclass(frozen=True)
class Listing:
    """A table of names and descriptions, whose lines break between words; numbers stand at the right.

    Args:
        headings: Headings of the columns. The first column holds names, which stay whole; the one without a heading,
            or else the last one, is as wide as the others let it be.
        rows: Cells of each row.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = [
            [heading, *cells] for heading, cells in zip(self.headings, zip(*self.rows, strict=True), strict=True)
        ]
        whole = [max(map(cell_len, column)) for column in columns]
        words = [max(cell_len(word) for cell in column for word in cell.split() or [""]) for column in columns]
        widest = self.headings.index("") if "" in self.headings else len(self.headings) - 1
        widths = [whole[0], *whole[1:]]
        widths[widest] = min(whole[widest], max(words[widest], _DESCRIPTION))
        if _width(widths) > options.max_width:
            widths = [whole[0], *words[1:]]
        widths[widest] = 0
        widths[widest] = max(min(whole[widest], options.max_width - _width(widths)), words[widest])
        table = Table(box=box.SIMPLE_HEAD)
        for (heading, *cells), width in zip(columns, widths, strict=True):
            is_number = all(re.fullmatch(r"[\d,.]*", cell) for cell in cells)
            table.add_column(heading, justify="right" if is_number else "left", width=width, overflow="fold")
        for row in self.rows:
            table.add_row(*row)
        yield table


def percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def magnitude(count: float) -> str:
    """Return a number with its unit: 12.5 M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f}"

"""Tables of what came out."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table


@dataclass(frozen=True)
class Line:
    """A network in a table of results; accuracies in percent, None where there is none."""

    name: str
    parameters: int
    macs: int  # multiply-accumulates for one image
    top1: float
    best: float | None = None  # of all epochs, on the test images: never the headline
    agreement: float | None = None  # with the teacher


def comparison(lines: Sequence[Line], title: str) -> Table:
    """Networks side by side. The last epoch is the result; `best` is the best epoch, `agreement` that with the teacher."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("network", overflow="fold")
    for heading in ("parameters", "MACs", "top-1 %", "best %", "agreement %"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in lines:
        table.add_row(
            line.name,
            f"{line.parameters:,}",
            magnitude(line.macs),
            *map(percent, (line.top1, line.best, line.agreement)),
        )
    return table


def listing(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Names and what they are."""
    table = Table(*headings, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    return table


def percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def magnitude(count: float) -> str:
    """12.5 M"""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f}"

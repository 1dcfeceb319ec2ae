"""Tables of results."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table


@dataclass(frozen=True)
class Line:
    """A network in a table of results; accuracies are in percent, None if not measured."""

    name: str
    parameters: int
    macs: int  # multiply-accumulates for one image
    top1: float | None
    best: float | None = None  # of all epochs, on the test images: never the headline
    agreement: float | None = None  # with the teacher


def comparison(lines: Sequence[Line], title: str) -> Table:
    """Return a table of networks: the last epoch's result, the best epoch's, and the agreement with the teacher."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("network", overflow="fold")
    columns = {
        "parameters": [f"{line.parameters:,}" for line in lines],
        "MACs": [magnitude(line.macs) for line in lines],
        "top-1 %": [percent(line.top1) for line in lines],
        "best %": [percent(line.best) for line in lines],
        "agreement %": [percent(line.agreement) for line in lines],
    }
    columns = {heading: cells for heading, cells in columns.items() if any(cells)}
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    for line, *cells in zip(lines, *columns.values(), strict=True):
        table.add_row(line.name, *cells)
    return table


def listing(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table of names and descriptions."""
    table = Table(*headings, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    return table


def percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def magnitude(count: float) -> str:
    """Return a number with its unit: 12.5 M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f}"

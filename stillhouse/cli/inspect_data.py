"""`stillhouse inspect DATA`: a sheet of a data set's images as students are given them, and its classes' sizes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..analysis import data_sheet
from ..analysis.findings_tables import Table
from ..data import Data
from ..spelling import printable
from ..training.progress import Display
from .options.inspect_data import InspectData
from .summary.filled import filled


def inspect_data(command: InspectData, display: Display) -> None:
    data = command.data.load(display, command.split, seed=command.output.seed)
    names, counts = [printable(name) for name in data.classes], data_sheet.counts(data)
    display.say(f"normalised by mean {_numbers(data.mean)} and std {_numbers(data.std)}")
    measured = data_sheet.sizes(data)
    if measured is not None:
        display.say(f"{len(measured)} of the images on disk: {data_sheet.sizes_in_words(measured)}")
    display.say(balance(data))
    table = by_classes(data, names)
    from ..analysis.data_figures import figures  # they import matplotlib, which takes a second
    from ..analysis.figures import save
    from ..analysis.fonts import Lettering

    named = printable(f"{data.name}, {data.train.describe()}")
    letters = Lettering.of([*names, named])
    folder = command.output.folder / f"{data.name}-inspection"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filled(folder) as target:
        (target / "classes.csv").write_text(table.csv(), encoding="utf-8")
        shown = figures(data_sheet.rows(data), counts, letters.names(names), letters.text(named))
        drawn = save(shown, target, letters.families, command.pictures.formats)
    display.console.print(table.printed(len(table.headings)))
    display.say(f"in {folder}: classes.csv, and as {command.pictures.in_words()} {', '.join(drawn)}")


def by_classes(data: Data, names: Sequence[str]) -> Table:
    """Return a table of the classes, from the largest to the smallest in training."""
    counts = data_sheet.counts(data)
    order = counts["training"].argsort(descending=True, stable=True).tolist()
    share = 100 * counts["training"] / max(1, len(data.train))
    rows = [(names[i], *(str(int(count[i])) for count in counts.values()), float(share[i])) for i in order]
    return Table(("class", *counts, "% of training"), rows)


def balance(data: Data) -> str:
    """Return a clause about the sizes of the classes."""
    sizes = data.train.labels.bincount(minlength=len(data.classes))
    low, high = int(sizes.min()), int(sizes.max())
    if low == high:
        return f"{len(sizes)} classes of {high:,} training images each"
    times = f", {high / low:.3g} times as many" if low else ""
    return (
        f"{len(sizes)} classes, of {low:,} ({printable(data.classes[int(sizes.argmin())])}) to {high:,} "
        f"({printable(data.classes[int(sizes.argmax())])}) training images{times}; half have "
        f"{int(torch.sort(sizes).values[len(sizes) // 2]):,} or more"
    )


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)

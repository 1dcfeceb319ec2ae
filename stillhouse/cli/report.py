"""`stillhouse report`: finished runs compared, on the terminal, as a page, or as data."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from ..checkpoints import write_atomically
from ..report.compare import compare
from ..report.grids import GridRecord, noted, read_grids
from ..report.groups import Group
from ..report.latency import with_latency
from ..report.records import Found, RunRecord, read_records
from ..report.tables import FOOT, grid_of, latex, markdown, printed
from ..spelling import counted
from ..training.progress import Display
from .options.report import Format, Report

_TOLD = 3  # damaged runs of which the reason is told


def report(command: Report, display: Display) -> int:
    """Compare runs, and return the exit code: 1 if damaged ones are left out."""
    asked = command.report
    kind = asked.kind()
    display.console.stderr = kind is not None and asked.output is None  # standard output is for the report alone
    found = read_records(asked.runs)
    code = _left_out(found, display)
    grids = read_grids(asked.runs, found.records)
    records = _timed(found.records, display) if asked.latency else found.records
    groups = noted(compare(records, asked.baseline), grids)
    pictures = [] if asked.pictures is None else _drawn(groups, grids, asked.pictures)
    if kind is not None:
        content = written(groups, kind, grids)
        if asked.output is None:
            sys.stdout.write(content.decode())
            return code
        write_atomically(asked.output, content)
    tables = [grid_of(group) for group in groups]
    display.console.print(printed(tables))
    for table in tables:
        for note in table.notes:
            display.say(f"{table.title}: {note}" if len(tables) > 1 else note)
    display.say(FOOT)
    if asked.output is not None:
        display.say(f"{counted(len(found.records), 'run')} in {asked.output}")
    if asked.pictures is not None:
        display.say(f"in {asked.pictures}, each as .svg, .png and .pdf: {', '.join(pictures)}")
    return code


def written(groups: Sequence[Group], kind: Format, grids: Sequence[GridRecord] = ()) -> bytes:
    """Return the content of a file in that format; only the page shows grids."""
    if kind == "html":
        from ..report.page import page  # it imports matplotlib, which takes a second

        return page(groups, grids).encode()
    if kind in ("md", "latex"):
        return (markdown if kind == "md" else latex)([grid_of(group) for group in groups]).encode()
    from ..report.formats import as_csv, as_json, as_parquet

    return as_parquet(groups) if kind == "parquet" else (as_csv if kind == "csv" else as_json)(groups).encode()


def _drawn(groups: Sequence[Group], grids: Sequence[GridRecord], folder: Path) -> list[str]:
    """Write each chart of the page as files, and return their names without the endings."""
    from ..report.drawn import Drawn
    from ..report.page import page

    folder.mkdir(parents=True, exist_ok=True)
    drawn = Drawn(folder)
    page(groups, grids, drawn)
    return drawn.files


def _timed(records: Sequence[RunRecord], display: Display) -> list[RunRecord]:
    measured, left_out = with_latency(records)
    if left_out:
        some = ", ".join(left_out[:3])
        display.note(
            f"the latency of {counted(len(left_out), 'network')} is not measured, because building one would run code "
            f"that a run names, or its run does not say the size of its images: {some}"
        )
    return measured


def _left_out(found: Found, display: Display) -> int:
    """Tell which runs are left out, and return the exit code: 1 if some are damaged."""
    if found.unfinished:
        some = ", ".join(path.name for path in found.unfinished[:3])
        more = f" and {len(found.unfinished) - 3} more" if len(found.unfinished) > 3 else ""
        display.note(f"{counted(len(found.unfinished), 'run')} not finished, left out: {some}{more}")
    if found.unnamed:
        some = ", ".join(path.name for path in found.unnamed[:3])
        display.note(
            f"{counted(len(found.unnamed), 'run')} left out, because their config.yaml does not say what was "
            f"trained (as when a program of your own wrote it): {some}"
        )
    if without := [run for run in found.records if run.predictions is None]:
        display.note(
            f"{counted(len(without), 'run')} without predictions.safetensors (removed, or of version 0.1), left out of "
            f"calibration, agreement and accuracy by class: {', '.join(run.folder.name for run in without[:3])}"
        )
    if found.damaged:
        are = "is" if len(found.damaged) == 1 else "are"
        display.note(f"{len(found.damaged):,} of {counted(found.count, 'run')} {are} damaged and left out:")
        for why in islice(found.damaged.values(), _TOLD):
            display.note(why)
        if len(found.damaged) > _TOLD:
            others = ", ".join(path.name for path in islice(found.damaged, _TOLD, None))
            display.note(f"damaged as well: {others}")
    return 1 if found.damaged else 0

"""`stillhouse report`: finished runs compared, on the terminal, as a page, or as data."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..checkpoints import write_atomically
from ..report.compare import compare
from ..report.grids import GridRecord, noted, read_grids
from ..report.groups import Group
from ..report.latency import with_latency
from ..report.records import Found, RunRecord, read_records
from ..report.tables import FOOT, grid_of, latex, markdown, printed
from ..spelling import counted
from ..training.progress import Display

Format = Literal["html", "md", "csv", "parquet", "latex", "json"]
_BY_ENDING: dict[str, Format] = {
    **{".html": "html", ".htm": "html", ".md": "md", ".csv": "csv", ".parquet": "parquet"},
    **{".tex": "latex", ".json": "json"},
}
_FILES_ONLY = ("html", "parquet")


@dataclass(frozen=True)
class ReportOptions:
    """Finished runs to compare.

    Args:
        runs: Folders of runs, or folders that contain them.
        output: File to write (-o report.html), whose suffix gives the format; by default only a table on the terminal.
        format: Format of the output: html is a page with all tables and charts in one file; csv and parquet have one
            row per run; md and latex are tables. Without --output it is printed.
        baseline: Method that the others are compared with, such as KD or CE,KD; by default the student by itself.
        latency: Measure as well how long each network takes for one image on this machine.
    """

    runs: list[str]
    output: Path | None = None
    format: Format | None = None
    baseline: str | None = None
    latency: bool = False

    def kind(self) -> Format | None:
        """Return the format; None for the table on the terminal.

        Raises:
            ValueError: If the format is unclear, or the file cannot be written.
        """
        if self.output is None:
            if self.format in _FILES_ONLY:
                raise ValueError(f"--format {self.format} is written to a file; add -o report.{self.format}")
            return self.format
        if self.output.is_dir():
            raise ValueError(f"--output {self.output} is a folder; give a file, such as {self.output / 'report.html'}")
        if not self.output.absolute().parent.is_dir():
            raise ValueError(f"--output: there is no folder {self.output.absolute().parent}; create it first")
        found = self.format or _BY_ENDING.get(self.output.suffix.lower())
        if found is None:
            known = ", ".join(_BY_ENDING)
            raise ValueError(f"--output {self.output} has none of the suffixes {known}; use one, or give --format")
        return found


@dataclass(frozen=True)
class Report:
    """Compare finished runs: methods beside each other, seed by seed, and beside what was published."""

    report: ReportOptions


def report(command: Report, display: Display) -> None:
    asked = command.report
    kind = asked.kind()
    display.console.stderr = kind is not None and asked.output is None  # standard output is for the report alone
    found = read_records(asked.runs)
    _left_out(found, display)
    grids = read_grids(asked.runs, found.records)
    records = _timed(found.records, display) if asked.latency else found.records
    groups = noted(compare(records, asked.baseline), grids)
    if kind is not None:
        content = written(groups, kind, grids)
        if asked.output is None:
            sys.stdout.write(content.decode())
            return
        write_atomically(asked.output, content)
    tables = [grid_of(group) for group in groups]
    display.console.print(printed(tables))
    for table in tables:
        for note in table.notes:
            display.say(f"{table.title}: {note}" if len(tables) > 1 else note)
    display.say(FOOT)
    if asked.output is not None:
        display.say(f"{counted(len(found.records), 'run')} in {asked.output}")


def written(groups: Sequence[Group], kind: Format, grids: Sequence[GridRecord] = ()) -> bytes:
    """Return the content of a file in that format; only the page shows grids."""
    if kind == "html":
        from ..report.page import page  # it imports matplotlib, which takes a second

        return page(groups, grids).encode()
    if kind in ("md", "latex"):
        return (markdown if kind == "md" else latex)([grid_of(group) for group in groups]).encode()
    from ..report.formats import as_csv, as_json, as_parquet

    return as_parquet(groups) if kind == "parquet" else (as_csv if kind == "csv" else as_json)(groups).encode()


def _timed(records: Sequence[RunRecord], display: Display) -> list[RunRecord]:
    measured, left_out = with_latency(records)
    if left_out:
        some = ", ".join(left_out[:3])
        display.note(
            f"the latency of {counted(len(left_out), 'network')} is not measured, because building one would run code "
            f"that a run names, or its run does not say the size of its images: {some}"
        )
    return measured


def _left_out(found: Found, display: Display) -> None:
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

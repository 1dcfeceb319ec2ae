"""`stillhouse report`: finished runs compared, on the terminal, as a page, or as data."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..checkpoints import write_atomically
from ..report.compare import compare
from ..report.groups import Group
from ..report.records import Found, read_records
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
    """

    runs: list[str]
    output: Path | None = None
    format: Format | None = None
    baseline: str | None = None

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
    groups = compare(found.records, asked.baseline)
    if kind is not None:
        content = written(groups, kind)
        if asked.output is None:
            sys.stdout.write(content.decode())
            return
        write_atomically(asked.output, content)
    grids = [grid_of(group) for group in groups]
    display.console.print(printed(grids))
    for grid in grids:
        for note in grid.notes:
            display.say(f"{grid.title}: {note}" if len(grids) > 1 else note)
    display.say(FOOT)
    if asked.output is not None:
        display.say(f"{counted(len(found.records), 'run')} in {asked.output}")


def written(groups: list[Group], kind: Format) -> bytes:
    """Return the content of a file in that format."""
    if kind == "html":
        from ..report.page import page  # it imports matplotlib, which takes a second

        return page(groups).encode()
    if kind in ("md", "latex"):
        return (markdown if kind == "md" else latex)([grid_of(group) for group in groups]).encode()
    from ..report.formats import as_csv, as_json, as_parquet

    return as_parquet(groups) if kind == "parquet" else (as_csv if kind == "csv" else as_json)(groups).encode()


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

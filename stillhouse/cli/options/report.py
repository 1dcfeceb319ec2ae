"""Options of `stillhouse report`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
        pictures: Folder to write each chart of the page into as well, as .svg, .png and .pdf.
        latency: Measure as well how long each network takes for one image on this machine.
    """

    runs: list[str]
    output: Path | None = None
    format: Format | None = None
    baseline: str | None = None
    pictures: Path | None = None
    latency: bool = False

    def __post_init__(self) -> None:
        if self.pictures is not None and self.pictures.exists() and not self.pictures.is_dir():
            raise ValueError(f"--pictures {self.pictures} is a file; give a folder")

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

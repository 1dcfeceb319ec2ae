"""The report of an evaluation: evaluation.md, evaluation.json, tables and pictures in a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..analysis.findings_tables import Table
from ..data import Data
from . import tables
from .measured import Measured, changes
from .mistakes import Mistake, worst
from .robustness import Robustness
from .verdict import verdict

MARKDOWN, JSON = "evaluation.md", "evaluation.json"
_TEXTS = ("class", "guess", "network", "name", "student minus", "parameter", "file")  # columns of names


@dataclass(frozen=True)
class Report:
    """Everything that was measured.

    Args:
        networks: The student first, then the others in the order of `ROLES`.
        data: The data set's name.
        fingerprint: That of the data set.
        names: Classes, as people read them.
        notes: What is not in the report, or limits what it says, a sentence each.
        robustness: Right guesses on corrupted images; None if it was not measured.
        mistakes: The student's most confident wrong guesses.
        verdict: What distillation gained and lost, a sentence each.
    """

    networks: Sequence[Measured]
    data: str
    fingerprint: str
    names: Sequence[str]
    notes: Sequence[str] = ()
    robustness: Robustness | None = None
    mistakes: Sequence[Mistake] = ()
    verdict: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        networks: Sequence[Measured],
        data: Data,
        names: Sequence[str],
        notes: Sequence[str] = (),
        robustness: Robustness | None = None,
    ) -> Report:
        """Return the report of networks that were measured on a data set."""
        said = verdict(networks, data.info.image_size)
        return cls(networks, data.name, data.fingerprint, names, notes, robustness, worst(networks, data), said)

    @property
    def named(self) -> str:
        """The networks and the data, for captions."""
        others = [f"{one.network.short} ({one.role})" for one in self.networks[1:]]
        beside = f" beside {', '.join(others)}" if others else ""
        return f"{self.networks[0].network.short}{beside} on {self.data}"

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield each table with the name of its file."""
        yield "accuracy", tables.accuracy(self.networks)
        if len(self.networks) > 1:
            yield "differences", tables.differences(self.networks)
        yield "calibration", tables.calibration(self.networks)
        yield "classes", tables.classes(self.networks, self.names)
        yield "confusions", tables.confusions(self.networks, self.names)
        for one in self.networks[1:]:
            yield f"flips_{one.role}", tables.flips_by_class(self.networks, self.names, one.role)
        yield "mistakes", tables.mistakes(self.mistakes, self.names, [one.role for one in self.networks[1:]])
        if self.robustness is not None:
            yield "robustness", tables.robust(self.robustness)
            yield "robustness_means", tables.kept(self.robustness)

    def figures_of(self) -> Mapping[str, object]:
        """Return all figures for programs; shares are in percent."""
        return {
            "data": {"name": self.data, "fingerprint": self.fingerprint, "classes": list(self.names)},
            "networks": {one.role: _network(one) for one in self.networks},
            "student_minus": {
                role: {**asdict(found), "negative_rate": found.negative_rate, "interval": "Bonett & Price 2012, 95 %"}
                for role, found in changes(self.networks).items()
            },
            "tables": {
                name: _columns(table) for name, table in self.tables() if name not in ("accuracy", "differences")
            },
            "robustness": None if self.robustness is None else asdict(self.robustness),
            "verdict": list(self.verdict),
            "notes": list(self.notes),
        }


def write(report: Report, folder: Path, markdown: str) -> list[str]:
    """Write the tables and both summaries of a report into a folder, and return their names."""
    written = {f"{name}.csv": table.csv() for name, table in report.tables()}
    written |= {MARKDOWN: markdown}
    written |= {JSON: json.dumps(report.figures_of(), indent=1, allow_nan=False, ensure_ascii=False) + "\n"}
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
    return list(written)


def _network(one: Measured) -> Mapping[str, object]:
    top1 = tables.accuracy([one])
    values = dict(zip(top1.headings, top1.rows[0], strict=True))
    found = one.calibration
    known = one.network.about
    return {
        "name": one.network.short,
        "top1": values["top-1 %"],
        "top1_interval": [values["low"], values["high"]],
        "interval": "Wilson 1927, 95 %",
        "top5": one.scores.top5,
        "cross_entropy": one.scores.loss,
        "right": one.right,
        "images": len(one.scores.labels),
        "trained_on": known.get("data"),
        "calibration": None
        if found is None
        else {
            "temperatures": list(found.temperatures),
            "before": asdict(found.before),
            "after": asdict(found.after),
            "bins": 15,
        },
    }


def _columns(table: Table) -> list[Mapping[str, object]]:
    return [{name: _number(name, cell) for name, cell in zip(table.headings, row, strict=True)} for row in table.rows]


def _number(column: str, cell: str | float) -> object:
    """Return a count as a number; a class may be called 2 and stays a text."""
    return int(cell) if isinstance(cell, str) and column not in _TEXTS and cell.isdecimal() else cell

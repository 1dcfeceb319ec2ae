"""A comparison as one self-contained page: tables, charts, and the settings of the runs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from ..spelling import counted, printable
from .charts import Charts
from .drawn import Drawn
from .grids import GridRecord
from .groups import Group
from .outcomes import agreements, by_class, names_of_classes, outcome
from .records import RunRecord
from .settings import shown
from .tables import FOOT, Cell, Grid, grid_of

_MOST_CLASSES = 200  # rows of a table
_MOST_BYTES = 3_000_000  # of a figure from `stillhouse inspect`


@dataclass(frozen=True)
class Section:
    """A group and everything that a page shows of it."""

    name: str  # of its anchor
    group: Group
    main: Grid
    seeds: Markup
    curves: Markup
    terms: Markup
    reliability: Markup | None
    behaviour: Grid
    agreement: Grid | None
    classes: Grid | None
    runs: Grid
    settings: Sequence[tuple[str, str]]
    inspected: Sequence[tuple[str, Sequence[tuple[str, str]]]]  # for each run: names and addresses of figures
    configs: Sequence[tuple[str, str]]


def page(groups: Sequence[Group], grids: Sequence[GridRecord] = (), drawn: Drawn | None = None) -> str:
    """Return the page; the content of names is always shown as text.

    Args:
        drawn: Takes each figure; by default they are parts of the page only.
    """
    texts = [text for group in groups for text in (group.title, *(entry.name for entry in group.entries))]
    names = (name for group in groups for run in group.runs for row in run.rows for name in row)
    charts = Charts([*texts, *names], drawn)
    sections = [_section(f"s{number}", group, charts) for number, group in enumerate(groups, 1)]
    sizes = {data: charts.sizes([one for one in groups if one.data == data]) for data in _data(groups)}
    known = [run for group in groups for run in (*group.runs, *group.teachers)]
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, finalize=_finalize)
    return environment.get_template("page.html").render(
        sections=sections,
        sizes=[(data, Markup(chart)) for data, chart in sizes.items() if chart],
        grids=[
            (grid.folder.name, grid.picture, _picture(grid.picture.path if grid.picture else None), _cells(grid))
            for grid in grids
        ],
        latency=next((str(run.result["latency_on"]) for run in known if "latency_on" in run.result), None),
        foot=FOOT,
        runs=counted(len({run.folder for group in groups for run in group.runs}), "run"),
    )


def _finalize(value: object) -> object:
    """Escape control characters, including those that change the direction of writing."""
    return printable(value) if type(value) is str else value


def _data(groups: Sequence[Group]) -> list[str]:
    return list(dict.fromkeys(group.data for group in groups))


def _section(name: str, group: Group, charts: Charts) -> Section:
    return Section(
        name,
        group,
        grid_of(group),
        seeds=Markup(charts.seeds(group)),
        curves=Markup(charts.curves(group)),
        terms=Markup(charts.terms(group)),
        reliability=None if (drawn := charts.reliability(group)) is None else Markup(drawn),
        behaviour=_behaviour(group),
        agreement=_agreement(group),
        classes=_classes(group),
        runs=_runs([*group.runs, *group.teachers]),
        settings=[(key, shown(value)) for key, value in group.settings.items()],
        inspected=[(run.folder.name, found) for run in group.runs if (found := _inspected(run.folder))],
        configs=[
            (run.folder.name, yaml.safe_dump(dict(run.config), sort_keys=False, allow_unicode=True))
            for run in [*group.runs, *group.teachers]
        ],
    )


def _behaviour(group: Group) -> Grid:
    rows = []
    for entry in group.entries:
        found = outcome(entry, group.base)
        values = (found.error, found.teacher, found.seeds, found.baseline, found.negative_flips, found.positive_flips)
        rows.append([Cell(entry.name), *(_percent(value) for value in values)])
    base = group.baseline or "baseline"
    headings = ["method", "calibration error %", "agrees with teacher %", "seeds agree %"]
    return _without_empty(
        Grid("", [*headings, f"agrees with {base} %", "negative flips %", "positive flips %"], rows, ())
    )


def _without_empty(grid: Grid) -> Grid:
    kept = [i for i in range(len(grid.headings)) if any(row[i].text for row in grid.rows)]
    rows = [[row[i] for i in kept] for row in grid.rows]
    return Grid(grid.title, [grid.headings[i] for i in kept], rows, grid.notes)


def _agreement(group: Group) -> Grid | None:
    table = agreements(group)
    if len(table) < 2 or all(value is None for row in table for value in row):
        return None
    names = [entry.name for entry in group.entries]
    rows = [[Cell(name), *map(_percent, row)] for name, row in zip(names, table, strict=True)]
    return Grid("", ["", *names], rows, ())


def _classes(group: Group) -> Grid | None:
    """Return accuracies by class; if there are too many, the ones with the widest range over methods."""
    names = names_of_classes(group.runs)
    if not names:
        return None
    columns = [by_class(entry, len(names)) for entry in group.entries]
    rows = [[Cell(name), *(_percent(column[i]) for column in columns)] for i, name in enumerate(names)]
    notes = []
    if len(rows) > _MOST_CLASSES:
        rows.sort(key=lambda row: -_range([cell.value for cell in row]))
        notes = [f"the {_MOST_CLASSES} of {len(rows):,} classes on which the methods differ most"]
    return Grid("", ["class", *(entry.name for entry in group.entries)], rows[:_MOST_CLASSES], notes)


def _range(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return max(known) - min(known) if known else 0.0


def _runs(runs: Sequence[RunRecord]) -> Grid:
    words = ("device", "stillhouse", "commit", "torch", "cuda", "data_hash", "weights_hash")
    rows = [
        [
            Cell(run.folder.name),
            Cell(str(run.seed), value=run.seed),
            Cell(f"{run.top1:.2f}", value=run.top1),
            *(Cell(str(run.result.get(name) or "")) for name in words),
            Cell(run.teacher_hash or ""),
        ]
        for run in runs
    ]
    headings = ["run", "seed", "top-1 %", *words[:5], "images", "weights", "teacher's weights"]
    return _without_empty(Grid("", headings, rows, ()))


def _percent(value: float | None) -> Cell:
    return Cell("" if value is None else f"{value:.2f}", value=value)


def _inspected(folder: Path) -> list[tuple[str, str]]:
    """Return the figures of `stillhouse inspect` as data URLs; scripts in them do not run."""
    found = [(path.stem, _picture(path)) for path in sorted((folder / "inspection").glob("*.svg"))]
    return [(name, address) for name, address in found if address is not None]


def _picture(path: Path | None) -> str | None:
    if path is None or not path.is_file() or path.stat().st_size > _MOST_BYTES:
        return None
    return f"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _cells(grid: GridRecord) -> Grid:
    """Return the table of a grid: the numbers on the validation images, and the test images for the chosen cell."""
    shown = {
        **{"seed": "seed", "validation_top1": "validation top-1 %", "chosen": "", "test_top1": "test top-1 %"},
        **{"stopped_after": "stopped after", "stopped_top1": "then %"},
    }
    rows = []
    for cell in grid.rows:
        numbers = {name: float(cell[name]) for name in shown if name != "chosen" and cell.get(name)}
        texts = {name: f"{value:.2f}" if "top1" in name else f"{value:.0f}" for name, value in numbers.items()}
        cells = [Cell(texts.get(name, ""), value=numbers.get(name)) for name in shown]
        cells[list(shown).index("chosen")] = Cell(cell["chosen"] and "chosen")
        rows.append([*(Cell(cell[name]) for name in grid.settings), *cells, Cell(cell["run"] or "failed")])
    headings = [*grid.settings, *shown.values(), "run"]
    return _without_empty(Grid("", headings, rows, ()))

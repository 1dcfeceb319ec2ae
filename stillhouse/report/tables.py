"""Tables of comparisons for the terminal, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from ..analysis.tables import Fitting, magnitude
from ..spelling import printable
from ..training.progress import duration
from .compare import compare
from .groups import Entry, Group
from .intervals import Difference
from .markdown import escaped, row as markdown_row
from .records import RunRecord

FOOT = (
    "top-1 is the mean of the last epochs with the standard deviation over seeds; differences are over common seeds, "
    "with the 95 % t-interval of their mean; bold: the interval excludes zero, as one in twenty does by chance"
)
# Columns that a narrow terminal leaves out, the last first.
_RANKED = ("each seed", "best %", "published %", "gap", "latency", "recipe", "time", "parameters", "MACs")


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Args:
        text: Text for display.
        is_bold: True if a difference exceeds the noise.
        value: Number to sort by, if any.
    """

    text: str
    is_bold: bool = False
    value: float | None = None


@dataclass(frozen=True)
class Grid:
    """A table in words.

    Args:
        title: Title above the table.
        headings: Headings of the columns; the first column holds text, the others numbers.
        rows: One cell per heading.
        notes: Notes below the table.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str]


def grid_of(group: Group) -> Grid:
    """Return the comparison of a group; columns without known values are left out."""
    rows = [_cells(entry) for entry in group.entries]
    headings = [name for name in rows[0] if any(row[name].text for row in rows)]
    titles = [name.format(baseline=group.baseline) for name in headings]
    notes = [*group.notes, *_best(group), *_latency(group), *_teachers(group), *_published(group)]
    return Grid(group.title, titles, [[row[name] for name in headings] for row in rows], notes)


def table_of(records: Sequence[RunRecord], baseline: str | None = None) -> Fitting:
    """Return one terminal table of all possible comparisons of finished runs.

    Args:
        baseline: As for `compare`.
    """
    return printed([grid_of(group) for group in compare(records, baseline)])


def printed(grids: Sequence[Grid]) -> Fitting:
    """Return grids as one table; if there are several, each has its title in a separate row."""
    headings = list(dict.fromkeys(heading for grid in grids for heading in grid.headings))
    vs = [heading for heading in headings if heading.startswith("vs ")]
    if len(vs) > 1:  # baselines with several names share a column
        headings = [heading for heading in headings if heading not in vs[1:]]
    title = printable(grids[0].title) if len(grids) == 1 else None
    shown = ["vs baseline" if len(vs) > 1 and heading == vs[0] else printable(heading) for heading in headings]
    rows: list[list[Text | str]] = []
    for grid in grids:
        if len(grids) > 1:
            rows.append([_text(grid.title, bold=True)])
        for row in grid.rows:
            known = {vs[0] if name in vs else name: cell for name, cell in zip(grid.headings, row, strict=True)}
            cells = [known.get(heading, Cell("")) for heading in headings]
            rows.append([_text(cell.text, bold=cell.is_bold) for cell in cells])
        rows.append([])
    return Fitting(shown, rows, [heading for heading in _RANKED if heading in headings], title)


def _text(words: str, bold: bool = False) -> Text:
    return Text(printable(words), Style(bold=bold))


def markdown(grids: Sequence[Grid]) -> str:
    """Return tables for GitHub; Markdown and HTML in names are escaped."""
    parts = []
    for grid in grids:
        lines = [f"### {escaped(grid.title)}", "", md_table(grid, grid.headings)]
        lines += ["", *(f"* {escaped(note)}" for note in grid.notes)]
        parts.append("\n".join(lines).rstrip())
    return "\n\n".join([*parts, escaped(FOOT)]) + "\n"


def md_table(grid: Grid, headings: Sequence[str]) -> str:
    """Return those columns of a table that it has."""
    kept = [grid.headings.index(heading) for heading in headings if heading in grid.headings]
    lines = [markdown_row([escaped(grid.headings[place]) for place in kept])]
    lines.append(markdown_row(["---", *["---:"] * (len(kept) - 1)]))
    for cells in ([row[place] for place in kept] for row in grid.rows):
        words = [escaped(cell.text) for cell in cells]
        lines.append(markdown_row([f"**{w}**" if cell.is_bold else w for w, cell in zip(words, cells, strict=True)]))
    return "\n".join(lines)


_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}"},
}


def latex(grids: Sequence[Grid]) -> str:
    """Return tables that need no packages."""
    parts = []
    for grid in grids:
        lines = [r"\begin{table}", rf"\caption{{{_latex(grid.title)}}}", r"\centering"]
        lines += [rf"\begin{{tabular}}{{l{'r' * (len(grid.headings) - 1)}}}", r"\hline"]
        lines += [f"{' & '.join(map(_latex, grid.headings))} \\\\", r"\hline"]
        for row in grid.rows:
            words = [_latex(cell.text) for cell in row]
            words = [rf"\textbf{{{w}}}" if cell.is_bold else w for w, cell in zip(words, row, strict=True)]
            lines.append(f"{' & '.join(words)} \\\\")
        lines += [r"\hline", r"\end{tabular}", *(f"% {' '.join(printable(note).split())}" for note in grid.notes)]
        parts.append("\n".join([*lines, r"\end{table}"]))
    return "\n\n".join([f"% {FOOT}", *parts]) + "\n"


def _latex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in printable(" ".join(text.split())))


def _cells(entry: Entry) -> dict[str, Cell]:
    """Return the cells of a method by the headings of their columns."""
    seconds, parameters, macs = (entry.mean(name) for name in ("seconds", "parameters", "macs"))
    latency = entry.mean("latency_ms")
    published, gap = entry.published, entry.gap
    spread = "" if entry.std is None else f" +- {entry.std:.2f}"
    best = " (best)" if published and published.measured == "best" else ""
    return {
        "method": Cell(entry.name),
        "recipe": Cell(entry.recipe or ""),
        "n": Cell(str(len(entry.runs)), value=len(entry.runs)),
        "top-1 %": Cell(f"{entry.top1:.2f}{spread}", value=entry.top1),
        "each seed": Cell("  ".join(f"{run.top1:.2f}" for run in entry.runs) if len(entry.runs) > 1 else ""),
        "vs {baseline}": difference_cell(entry.to_baseline),
        "best %": Cell(f"{entry.best:.2f}", value=entry.best),
        "published %": Cell(f"{published.top1:.2f}{best}", value=published.top1) if published else Cell(""),
        "gap": Cell("" if gap is None else f"{gap:+.2f}", value=gap),
        "time": Cell("" if seconds is None else duration(seconds), value=seconds),
        "parameters": Cell("" if parameters is None else f"{parameters:,.0f}", value=parameters),
        "MACs": Cell("" if macs is None else magnitude(macs), value=macs),
        "latency": Cell("" if latency is None else f"{latency:.3g} ms", value=latency),
    }


def difference_cell(found: Difference | None) -> Cell:
    """Return "+0.31 [+0.02, +0.60]", bold if the interval excludes zero; without an interval if there is none."""
    if found is None:
        return Cell("")
    count = len(found.values)
    if found.low is None or found.high is None:
        return Cell(f"{found.mean:+.2f} (n = {count})", value=found.mean)
    if found.low == found.high == 0:
        return Cell(f"0 (equal, n = {count})", value=0.0)
    return Cell(f"{found.mean:+.2f} [{found.low:+.2f}, {found.high:+.2f}]", found.is_clear, found.mean)


def _best(group: Group) -> list[str]:
    """Return a note if best epochs are those on validation images, which are easier or harder than the test images."""
    on = [run.result.get("best_measured_on") == "validation" for run in group.runs]
    some = "" if all(on) else " of runs that hold some out"
    return [f"best % is of the best epoch on the validation images{some}"] if any(on) else []


def _latency(group: Group) -> list[str]:
    machines = dict.fromkeys(str(run.result["latency_on"]) for run in group.runs if "latency_on" in run.result)
    return [f"latency: median time of a forward pass of one image in float32, on {one}" for one in machines]


def _teachers(group: Group) -> list[str]:
    return [f"teacher {one.student}, seed {one.seed}: {one.top1:.2f} % ({one.folder.name})" for one in group.teachers]


def _published(group: Group) -> list[str]:
    """Return a note for each published number: its source, and the settings that differ."""
    said = []
    for entry in group.entries:
        if (one := entry.published) is not None:
            epoch = {"last": "last epoch", "best": "best epoch", "unstated": "epoch not stated"}[one.measured]
            other = f"; here with different {', '.join(one.differing)}" if one.differing else ""
            said.append(f"published for {entry.name}: {one.recipe}, {one.source} ({epoch}){other}")
    return said

"""An evaluation in Markdown, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..analysis.findings_tables import Table
from ..checkpoints import fingerprint
from ..report import markdown
from ..report.markdown import escaped
from . import tables
from .calibration import HIGHEST, LOWEST
from .corruptions import SMALL
from .report import Report

_CLASSES = 10  # at most, in a table
_SHOWN = ("svg", "png")  # formats that are shown within a page

_ACCURACY = (
    "low and high: Wilson's 95 % interval. It is about other images of the same kind, and says nothing of other seeds."
)
_DIFFERENCES = (
    "Differences on the same images, in points, with a 95 % interval for paired proportions (Bonett & Price 2012). A "
    "positive flip is an image that only the student gets right, a negative flip one that only the other network gets "
    "right."
)
_CALIBRATION = (
    "ECE: expected calibration error, 15 bins. A temperature (Guo et al. 2017) was fitted on each half of the images, "
    "split by class, and scales the other half, so none is judged on images that it was fitted on. It changes no guess."
)

_ROBUSTNESS = (
    "The pixels that a network is given are corrupted, before they are normalised (four of the corruptions of "
    "Hendrycks & Dietterich 2019). % of clean: the mean over all corruptions and strengths, relative to these images "
    "as they are."
)


def page(report: Report, drawn: Sequence[str], formats: Sequence[str]) -> str:
    """Return the page.

    Args:
        drawn: Names of the pictures beside it.
        formats: Their formats.
    """
    return "\n\n".join(part for part in _parts(report, drawn, formats) if part) + "\n"


def _parts(report: Report, drawn: Sequence[str], formats: Sequence[str]) -> Iterator[str]:
    one = report.networks
    yield f"# {escaped(one[0].network.short)} on {escaped(report.data)}"
    yield "\n".join(f"* {escaped(sentence)}" for sentence in report.verdict)
    yield "\n".join(f"* note: {escaped(note)}" for note in report.notes)
    yield "## Accuracy"
    yield shown(tables.accuracy(one))
    yield f"{_ACCURACY} {_most_frequent(report)}"
    if len(one) > 1:
        yield "## Student minus the others"
        yield shown(tables.differences(one))
        yield _DIFFERENCES
    if any(network.calibration for network in one):
        yield "## Calibration"
        yield shown(tables.calibration(one))
        bounded = [network.role for network in one if network.calibration and network.calibration.is_bounded]
        beyond = f" Of {', '.join(bounded)}, a temperature lies beyond {LOWEST:g} to {HIGHEST:g}." if bounded else ""
        yield _CALIBRATION + beyond
        yield from _pictures(("reliability", "reliability_scaled"), drawn, formats)
    yield "## Classes"
    yield from _first(tables.classes(one, report.names), "classes.csv", "classes")
    yield from _pictures(("classes",), drawn, formats)
    yield "## Mistakes"
    wrong = tables.confusions(one, report.names)
    wrong = Table(wrong.headings, [row for row in wrong.rows if row[0] != row[1] and row[2] != "0"])
    yield from _first(wrong, "confusions.csv", "pairs of a class and a wrong guess")
    yield from _pictures(("confusion",), drawn, formats)
    if report.mistakes:
        yield "The wrong guesses that the student is most sure of; some are wrong labels:"
        worst = tables.mistakes(report.mistakes, report.names, [network.role for network in one[1:]])
        yield from _first(worst, "mistakes.csv", "of them")
        yield from _pictures(("mistakes",), drawn, formats)
    for network in one[1:]:
        found = tables.flips_by_class(one, report.names, network.role)
        other = "other network (against)" if network.role == "against" else network.role
        yield f"## Flips against the {other}, by class"
        yield from _first(found, f"flips_{network.role}.csv", "classes")
    if report.robustness is not None:
        yield "## Robustness"
        yield shown(tables.kept(report.robustness))
        yield shown(tables.robust(report.robustness))
        size = report.robustness.size
        yield (
            f"Top-1 in percent of {report.robustness.images:,} of the {report.robustness.of:,} held-out images, evenly "
            f"from the classes. {_ROBUSTNESS} Strengths are those that its authors use for images of "
            f"{'32' if size <= SMALL else '224'} px; the blur's width is scaled to {size} px."
        )
        yield from _pictures(("robustness",), drawn, formats)
    yield f"All figures are in `evaluation.json`, all tables in CSV files beside it. {escaped(report.named)}."
    weights = ", ".join(f"{network.role} {fingerprint(network.network.net.model)}" for network in one)
    yield f"Fingerprint of the data: {report.fingerprint}. Hashes of the weights: {weights}."


def _most_frequent(report: Report) -> str:
    """Return a sentence about guessing without looking, which accuracy is to be compared with."""
    counts = report.networks[0].scores.labels.bincount(minlength=len(report.names))
    share, name = 100 * float(counts.max()) / int(counts.sum()), report.names[int(counts.argmax())]
    return f"To guess the most frequent class ({escaped(name)}) of every image is right on {share:.2f} %."


def shown(table: Table) -> str:
    """Return a table with rounded numbers."""
    rows = [[cell if isinstance(cell, str) else f"{cell:.2f}" for cell in row] for row in table.rows]
    return markdown.table(table.headings, rows)


def _first(table: Table, file: str, what: str) -> Iterator[str]:
    yield shown(Table(table.headings, table.rows[:_CLASSES]))
    missing = len(table.rows) - _CLASSES
    if missing > 0:
        yield f"{missing:,} more {what} are in `{file}`."


def _pictures(names: Sequence[str], drawn: Sequence[str], formats: Sequence[str]) -> Iterator[str]:
    suffix = next((one for one in _SHOWN if one in formats), None)
    for name in names:
        if name in drawn:
            yield f"![{name}]({name}.{suffix})" if suffix else f"Picture: `{name}.{formats[0]}`"

"""`stillhouse export`: a student as a file for other programs, proven on the held-out images."""

from __future__ import annotations

from ..analysis.tables import Fitting
from ..export.export import export
from ..export.gate import BATCHES
from ..export.outcome import Outcome
from ..export.student import open_student
from ..models.spec import NetworkSource
from ..spelling import counted
from ..training.progress import Display
from .evaluate import digests
from .groups.data import note_on_reading, note_on_share
from .options.export import Export


def exported(command: Export, display: Display) -> int:
    """Export, and return the exit code: 1 if the file does not say what the student says."""
    asked = command.network
    student = open_student(NetworkSource(asked.model, asked.weights), display.note)
    order = command.order(student)
    order.check()
    data = command.data.load(
        display,
        test_only=asked.to != "int8",
        is_trained=False,
        trained_on=digests(student.found),
        expected=student.found.input,
    )
    display.note(note_on_reading(student.short, student.found.about, command.data))
    display.note(note_on_share(student.short, student.found.about, data, command.data))
    outcome = export(student, data, order, display.say)
    display.console.print(proof(outcome, asked.to, student.short))
    display.say("difference: the largest of any output, and relative to the largest output")
    if outcome.times:
        display.console.print(latencies(outcome, asked.to))
    if outcome.left:
        display.note(
            f"left in float, because the accuracy suffers most from them: {', '.join(outcome.left)} "
            f"({len(outcome.left)} of {counted(len(outcome.left) + len(outcome.details['quantised_layers']), 'layer')})"
        )
    for failure in outcome.failures:
        display.say(f"failed: {failure}")
    if outcome.failures:
        display.say(f"the file is kept as {outcome.file}, for inspection only")
        return 1
    if outcome.times:
        _slower(outcome, asked.to, display)
    display.say(f"{outcome.file}  {outcome.verdict.student.images:,} held-out images")
    return 0


def proof(outcome: Outcome, kind: str, title: str) -> Fitting:
    """Return a table of the student and the file beside each other: sizes, accuracy and differences."""
    verdict, rows = outcome.verdict, []
    for name in _rows(outcome, kind):
        megabytes = f"{outcome.sizes[name] / 1e6:.2f}" if name in outcome.sizes else ""
        cells = [megabytes, f"{verdict.student.top1:.2f}" if name == "PyTorch" else "", "", "", ""]
        if name == kind:
            accuracy = " / ".join(dict.fromkeys(f"{one.top1:.2f}" for one in verdict.tallies.values()))
            cells = [
                megabytes,
                accuracy,
                f"{verdict.same_percent:.2f}",
                f"{verdict.difference:.2g}",
                f"{verdict.relative:.2g}",
            ]
        rows.append([name, *cells])
    headings = ["", "MB", "top-1 %", "same guess %", "difference", "relative"]
    return Fitting(headings, rows, ["same guess %", "difference", "relative"], title)


def latencies(outcome: Outcome, kind: str) -> Fitting:
    """Return a table of the times of the student and the file, in batches of each size."""
    rows = [
        [name, *(str(outcome.times.get(name, {}).get(size, "")) for size in BATCHES)] for name in _rows(outcome, kind)
    ]
    return Fitting(
        ["", *(counted(size, "image") for size in BATCHES)], rows, title="ms, median / 95th percentile, on this machine"
    )


def _rows(outcome: Outcome, kind: str) -> list[str]:
    return list(dict.fromkeys(["PyTorch", *outcome.times, kind]))


def _slower(outcome: Outcome, kind: str, display: Display) -> None:
    """Note a file that is slower than the student that it is to replace."""
    theirs, ours = outcome.times[kind], outcome.times["PyTorch"]
    sizes = [size for size in BATCHES if theirs[size].p50 > ours[size].p50]
    if sizes:
        display.note(f"on this machine {kind} is slower than PyTorch in batches of {' and '.join(map(str, sizes))}")

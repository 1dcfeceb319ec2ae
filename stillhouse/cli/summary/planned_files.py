"""The files of a plan: tables for programs, and a picture."""

from __future__ import annotations

from collections.abc import Sequence

from ...analysis.findings_tables import Table
from ...cli.summary.filled import filled
from ...data import Data
from ...plan.candidate import Candidate, situations
from ...plan.courses import Course
from ...plan.duplicates import Duplicates
from ...report.latency import machine
from ...spelling import printable
from ...training.progress import Display
from ..inspect_data import by_classes
from ..options.plan import Plan


def write(
    command: Plan,
    data: Data,
    found: Duplicates,
    candidates: Sequence[Candidate],
    courses: Sequence[Course],
    epochs: int,
    display: Display,
) -> None:
    """Write the files of a plan into FOLDER/DATA-plan."""
    from ...analysis.figures import save  # they import matplotlib, which takes a second
    from ...analysis.fonts import Lettering
    from ...plan.figure import figures

    tables = {
        "classes": by_classes(data, [printable(name) for name in data.classes]),
        "duplicates": _duplicates(found, data),
        "networks": _networks(candidates),
        "hours": _hours(courses, epochs),
    }
    letters = Lettering.of([one.name for one in candidates])
    folder = command.run.output.folder / f"{data.name}-plan"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filled(folder) as target:
        for name, table in tables.items():
            (target / f"{name}.csv").write_text(table.csv(), encoding="utf-8")
        pictures = figures(candidates, letters.names([one.name for one in candidates]), machine())
        drawn = save(pictures, target, letters.families, command.pictures.formats)
    files = ", ".join(f"{name}.csv" for name in tables)
    display.say(f"in {folder}: {files}" + (f", and as {command.pictures.in_words()} {drawn[0]}" if drawn else ""))


def _duplicates(found: Duplicates, data: Data) -> Table:
    rows = [
        (
            pair.kind,
            *(word for one in (pair.image, pair.other) for word in (one.split, str(one), data.classes[one.label])),
        )
        for pair in found.pairs
    ]
    return Table(("kind", "split", "image", "class", "split of other", "other", "class of other"), rows)


def _networks(candidates: Sequence[Candidate]) -> Table:
    known = situations(candidates)
    headings = ["network", "parameters", "macs"]
    for images, threads in known:
        headings += [f"ms {quantile}, {images} images, {threads} threads" for quantile in ("p50", "p95")]
    rows = []
    for one in candidates:
        timed = [one.latency(*place) for place in known]
        numbers = [
            number
            for speed in timed
            for number in (("", "") if speed is None else (speed.latency.p50, speed.latency.p95))
        ]
        rows.append((one.name, str(one.parameters), str(one.macs or ""), *numbers))
    return Table(headings, rows)


def _hours(courses: Sequence[Course], epochs: int) -> Table:
    headings = [
        *(
            "student",
            "epochs",
            "seeds",
            "steps of an epoch",
            "seconds of a step",
            "of its reading",
            "of its teacher",
            "of its students",
        ),
        *("seconds of an epoch", "seconds in all", "with teacher cache", "teacher trained first", "bytes of memory"),
    ]
    rows = []
    for one in courses:
        pace, labels = one.pace, one.labels
        students = sum(pace.students.values())
        parts = (pace.step(labels), pace.reading, pace.teacher, students, pace.epoch(labels))
        whole = (one.seconds(epochs, cached=False), one.seconds(epochs), one.teacher_seconds(epochs))
        rows.append((one.name, str(epochs), str(one.seeds), str(pace.steps), *parts, *whole, str(pace.memory)))
    return Table(headings, rows)

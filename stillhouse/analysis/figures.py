"""The figures of a finished distillation. Methods contribute only through their contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from ..method import Method
from ..spelling import counted, shortened
from ..training.predictions import Predictions
from ..training.run_files import Row, loss_terms
from . import curves, matrices, plots
from .baseline import Baseline
from .class_changes import class_changes
from .confusion import confusion
from .contact_sheet import contact_sheet
from .embedded import embeddings
from .measure import Embedded, Findings, Judged
from .metrics import logit_difference, mean_by_class
from .plots import Numbers
from .reliability import reliability

_STRIPS = 12  # at most, rows of a contact sheet
_LONGEST = 18  # letters of a name among points


def save(
    figures: Iterable[tuple[str, Figure]],
    folder: Path,
    families: Sequence[str] = ("DejaVu Sans",),
    formats: Sequence[str] = plots.FORMATS,
) -> list[str]:
    """Draw each figure in these fonts, write NAME.svg, NAME.png and NAME.pdf, and return the names."""
    names = []
    with plots.style(families):
        for name, figure in figures:
            plots.save(figure, folder / name, formats)
            names.append(name)
    return names


def figures(
    findings: Findings,
    rows: Sequence[Row],
    methods: Mapping[str, Method],
    classes: Sequence[str],
    named: str,
    baseline: Baseline | None = None,
    validated: bool = False,
) -> Iterator[tuple[str, Figure]]:
    """Yield every figure with the name of its file.

    Args:
        rows: The lines of metrics.jsonl.
        classes: Their names.
        named: The student, the teacher and the data, for captions.
        baseline: The student by itself.
        validated: The accuracies in `rows` are of validation images, not of test images.
    """
    s, t = findings.student, findings.teacher
    terms = list(dict.fromkeys(term for row in rows for term in loss_terms(row)))
    beside = None if baseline is None else baseline.rows
    tested = f"{named}, {counted(len(s.labels), 'test image')}."
    yield "training", curves.training(rows, terms, t.top1, beside, f"{named}." if validated else tested, validated)
    for name, method in methods.items():
        groups = observed(rows, name)
        if groups:
            caption = f"{named}. {method.observations_caption}"
            yield name, curves.observations(rows, groups, f"{name} over the epochs", caption)
        judged = {what.partition(".")[2]: one for what, one in findings.judged.items() if what.startswith(f"{name}.")}
        if judged:
            yield from _judged(name, judged, findings, classes, f"{tested} {method.per_image_caption}")

    networks = {"teacher": Predictions.of(t), "student": Predictions.of(s)}
    if baseline is not None and baseline.predictions is not None:
        networks["baseline"] = baseline.predictions
    yield "classes", class_changes(networks, classes, f"{named}.")
    yield "confusion", confusion(networks, classes, f"{named}.")
    yield "reliability", reliability(networks, f"{named}.")
    title = "Differences between the logits of student and teacher"
    caption = f"{named}. Absolute differences of their mean logits for the {len(s.labels):,} test images, by class."
    difference = _numbers(logit_difference(s, t, len(classes)))
    yield "logits", matrices.logits(difference, classes, title, caption)
    if findings.aligned is not None:
        aligned, values = findings.aligned, _numbers(findings.aligned.values)
        title, axes = "Similarity of features (linear CKA)", ("student", "teacher")
        images = counted(aligned.images, "test image")
        caption = f"{named}, {images}. 1 where features are equal up to rotation and scale."
        yield "alignment", matrices.matrix(values, aligned.student, aligned.teacher, title, caption, axes)
    if findings.embedded is not None and len(findings.embedded.labels) > 1:
        yield "embeddings", _embedded(findings.embedded, classes, named)


def observed(rows: Sequence[Row], method: str) -> dict[str, list[str]]:
    """Group a method's columns METHOD.GROUP/NAME, largest groups first; a column without a slash is its own group."""
    groups: dict[str, list[str]] = {}
    for column in dict.fromkeys(column for row in rows for column in row):
        if column.startswith(f"{method}."):
            what = column.partition(".")[2]
            groups.setdefault(what.rpartition("/")[0] or what, []).append(column)
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))


def _judged(
    name: str, judged: Mapping[str, Judged], findings: Findings, classes: Sequence[str], caption: str
) -> Iterator[tuple[str, Figure]]:
    groups = {what.rpartition("/")[0] for what in judged}
    labels = [plots.plain(what.rpartition("/")[2] if len(groups) == 1 else what, "\n") for what in judged]
    values = [_numbers(mean_by_class(one.values, findings.student.labels, len(classes))) for one in judged.values()]
    counts = findings.student.labels.bincount(minlength=len(classes)).numpy()
    table = np.stack(values, 1)
    yield f"{name}_classes", matrices.by_class(table, classes, counts, labels, f"{name} by class", caption)
    strips = {
        label: (_numbers(one.ends), one.images.numpy())
        for label, one in list(zip(labels, judged.values(), strict=True))[:_STRIPS]
    }
    yield f"{name}_images", contact_sheet(strips, f"{name} by image", caption)


def _embedded(embedded: Embedded, classes: Sequence[str], named: str) -> Figure:
    points = {who: plane(vectors) for who, vectors in (("student", embedded.student), ("teacher", embedded.teacher))}
    some = (
        f"{len(embedded.classes)} of the {len(classes)} classes" if len(embedded.classes) < len(classes) else "by class"
    )
    caption = (
        f"{named}. t-SNE of {len(embedded.labels):,} test images, {some}. Only who is near whom can be read: axes have "
        "no unit, and distances between groups mean little. Where a name had to move, a line leads to its class."
    )
    names = _short({i: classes[i] for i in embedded.classes})
    return embeddings(points, embedded.labels.numpy(), names, "Embeddings of test images", caption)


def _short(names: Mapping[int, str]) -> dict[int, str]:
    """Return names short enough to stand among points; those that are then alike have the number of their class."""
    short = {label: shortened(name, _LONGEST) for label, name in names.items()}
    alike = len(set(short.values())) < len(short)
    return {label: f"{shortened(name, _LONGEST - 6)} #{label}" if alike else name for label, name in short.items()}


def plane(vectors: Tensor) -> Numbers:
    """(N, D) -> (N, 2) by t-SNE (van der Maaten and Hinton, JMLR 2008), the same each time."""
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(vectors) - 1) / 3)
    points: Numbers = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(vectors.double().numpy())
    return points


def _numbers(values: Tensor) -> Numbers:
    numbers: Numbers = values.double().numpy()
    return numbers

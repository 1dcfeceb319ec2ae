"""`stillhouse evaluate`: a trained network, measured on the held-out images of a data set."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..analysis.tables import Line, comparison
from ..data import Data
from ..forward import are_probabilities
from ..report.intervals import of_share
from ..training.evaluation import Scores, evaluate, size_of
from ..training.progress import Display
from ..training.run_files import read_result
from ..training.teachers.checks import check_classes, check_finite, missing, order_problem, other_classes
from ..training.teachers.examine import better_normalisation
from ..training.teachers.located import Located, locate
from ..training.teachers.places import without_weights
from ..training.teachers.teacher import Teacher, prepare
from .groups.data import note_on_reading, note_on_share
from .options.evaluate import Evaluate, data_of_run
from .summary.evaluation import data_of_distillation, write_report

_CLOSE = 0.005  # percent: the printed numbers are the same


def measure(command: Evaluate, display: Display) -> None:
    device = command.device.torch_device()
    source = command.knowledge.source(command.network.model, command.network.weights)
    found = locate(source, "--weights")
    if not found.source.weights:
        raise ValueError(without_weights(source.name))
    folder = command.evaluation.folder(found.folder, command.network.model)
    data = None if folder is None else data_of_distillation(command, found, display)
    if data is None:
        data = command.data.load(display, test_only=True, trained_on=digests(found), expected=found.input)
    display.note(note_on_reading(found.source.short, found.about, command.data))
    display.note(note_on_share(found.source.short, found.about, data, command.data))
    found = replace(found, source=command.knowledge.for_data(found.source, data))
    _refuse_part_of_classes(found, data)
    network = prepare(found, data, device, option="--weights", say=display.note)
    scores = evaluate(network.net.model.to(device), data.test, device)
    check_finite(f"the network {network.name}", scores)
    check_classes(f"the network {network.name}", scores, data, network.about)
    line = Line(network.short, *size_of(network.net.model, data.info.image_size), scores.top1)
    display.console.print(comparison([line], data.name))
    low, high = of_share(int(scores.correct.sum()), len(scores.labels))
    display.say(f"top-1 {scores.top1:.2f} %, 95 % interval {low:.2f} to {high:.2f} (Wilson, over the images)")
    display.say(f"top-5 {scores.top5:.2f} %   cross-entropy {scores.loss:.4f}   {len(scores.labels):,} images")
    for note in _doubts(network, scores, data, device):
        display.note(note)
    if found.folder and command.data.data == data_of_run(found.folder).get("data"):
        _compare(found, scores, data, display)
    if folder is not None:
        write_report(command, found, network, scores, data, folder, display)


def _refuse_part_of_classes(found: Located, data: Data) -> None:
    """Refuse data that lack classes of the network, unless the user has named its classes."""
    theirs = found.classes
    if found.source.classes is None and theirs is not None and missing(theirs, data.classes):
        raise ValueError(
            f"the network {found.source.short} {other_classes(len(theirs), data.classes, theirs)}; add images of every "
            f"class, or let it choose among these {len(data.classes):,} only: --classes FILE, with all its "
            f"{len(theirs):,} classes, one per line in the order of its outputs ({', '.join(theirs[:3])}, ...)"
        )


def digests(found: Located) -> tuple[str, ...] | None:
    """Return the digests of training images in a network's file; None if it has none."""
    known = found.about.get("trained_on")
    return tuple(map(str, known)) if isinstance(known, list) else None


def _doubts(network: Teacher, scores: Scores, data: Data, device: torch.device) -> list[str]:
    """Return notes about possible errors in the measurement, each with a remedy."""
    notes = [better_normalisation(network, data, data.test, device, "")]
    order = order_problem(scores, data.classes, "--classes")
    notes.append(f"{network.short} does badly, but {order}" if order else None)
    if are_probabilities(scores.logits):
        notes.append(
            f"{network.short} returns probabilities (each row sums to one), not logits; so the cross-entropy above "
            f"is not meaningful"
        )
    return [note for note in notes if note]


def _compare(found: Located, scores: Scores, data: Data, display: Display) -> None:
    """Note if a run scores differently on its own data than when training finished."""
    assert found.folder is not None
    then = read_result(found.folder).get("top1")
    same_size = found.about.get("image_size") in (None, data.info.image_size)
    if isinstance(then, int | float) and abs(then - scores.top1) > _CLOSE and same_size:
        display.note(
            f"{found.given} scored {then:.2f} % when training finished; the data or the software has changed since"
        )

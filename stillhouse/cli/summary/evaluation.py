"""The report of `stillhouse evaluate --report`: the student beside its teacher, its baseline and another network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...data import Data
from ...evaluation.measured import measured
from ...evaluation.robustness import passes, robustness
from ...spelling import counted, printable
from ...training.evaluation import Scores
from ...training.progress import Display
from ...training.teachers.located import Located
from ...training.teachers.teacher import Teacher
from ...user_code import named_by_run
from ..options.distill import Distill
from ..options.evaluate import Evaluate
from ..runs.beside import baseline_of, distillation, network_beside, teacher_of
from .counting import counting
from .filled import filled

if TYPE_CHECKING:
    from ...evaluation.report import Report


def data_of_distillation(command: Evaluate, found: Located, display: Display) -> Data | None:
    """Load the data of a distillation as it was trained on, by which its baseline is found.

    None for other networks, and if the network is to be measured on other data, or on images read in another way.
    """
    distilled = _distillation(command, found)
    if distilled is None or replace(command.data, workers=None) != replace(distilled.run.data, workers=None):
        return None
    return distilled.run.load(display, False, found.input, is_trained=False)


def write_report(
    command: Evaluate,
    found: Located,
    network: Teacher,
    scores: Scores,
    data: Data,
    folder: Path,
    display: Display,
) -> None:
    """Measure the networks beside a student, and write the report.

    Args:
        network: The student.
        scores: What was measured of it.
    """
    from ...evaluation.report import Report  # it imports matplotlib, which nothing else here needs

    device = command.device.torch_device()
    networks = [measured("student", network, data, device, scores)]
    notes = []
    for role, place in _places(command).items():
        try:
            one = _beside(role, place, command, found, data, display)
            if one.net.foreign_logits:
                raise ValueError(f"{one.name} {one.net.foreign_logits}")
            display.say(f"{role} {one.short}: measured on {len(data.test):,} images ...")
            networks.append(measured(role, one, data, device))
        except ValueError as error:
            if place is not None:
                raise ValueError(f"--{role}: {error}") from None
            notes.append(f"no {role} in the report: {error}")
    corrupted = None
    if command.evaluation.corrupted:
        images = min(command.evaluation.corrupted, len(data.test))
        by = counted(len(networks), "network")
        display.say(f"robustness: {images:,} images, corrupted in 4 ways at 5 strengths, by {by} ...")
        try:
            with counting(display, "images", passes(images)) as done:
                corrupted = robustness(networks, data, device, images, done=done)
        except ValueError as error:
            if command.evaluation.robustness is not None:
                raise ValueError(f"--robustness: {error}") from None
            notes.append(f"no robustness in the report: {error}")
    for note in notes:
        display.note(note)
    names = [printable(name) for name in data.classes]
    _write(command, Report.of(networks, data, names, notes, corrupted), data, folder, display)


def _places(command: Evaluate) -> dict[str, str | None]:
    """Return the networks to measure beside the student by role, and where the user says that they are."""
    asked = command.evaluation
    others = {"teacher": asked.teacher, "baseline": asked.baseline}
    return others | ({} if asked.against is None else {"against": asked.against})


def _distillation(command: Evaluate, found: Located) -> Distill | None:
    return None if found.folder is None else distillation(found.folder, {"device": command.device.device})


def _beside(role: str, place: str | None, command: Evaluate, found: Located, data: Data, display: Display) -> Teacher:
    """Read a network beside the student.

    Raises:
        ValueError: If there is none, or it cannot be read.
    """
    device = command.device.torch_device()
    distilled = _distillation(command, found)
    if place is not None:
        is_teacher = role == "teacher" and distilled is not None
        otherwise = distilled.distillation.teacher if is_teacher and distilled else found.source.name
        return network_beside(place, otherwise, data, device, display)
    if distilled is None or found.folder is None:
        raise ValueError(f"{found.given} is not the folder of a distillation, which would say which; give --{role}")
    if role == "teacher":
        with named_by_run(found.folder, (command.network.model,)):
            return teacher_of(distilled, data, device, display)
    beside = baseline_of(distilled, data)
    if beside is None:
        raise ValueError("no run of the student by itself on these data lies beside the run; give --baseline")
    return network_beside(str(beside), found.source.name, data, device, display)


def _write(command: Evaluate, report: Report, data: Data, folder: Path, display: Display) -> None:
    from ...analysis.figures import save  # they import matplotlib, which nothing else needs
    from ...analysis.fonts import Lettering
    from ...evaluation.figures import figures
    from ...evaluation.markdown import page
    from ...evaluation.report import MARKDOWN, write
    from ...evaluation.tables import accuracy, differences, kept

    letters = Lettering.of([*report.names, report.named])
    formats = command.pictures.formats
    with filled(folder) as target:
        shown = figures(report, letters.names(report.names), letters.text(report.named), data)
        drawn = save(shown, target, letters.families, formats)
        write(report, target, page(report, drawn, formats))
    display.console.print(accuracy(report.networks).printed(6))
    if len(report.networks) > 1:
        display.console.print(differences(report.networks).printed(6))
    if report.robustness is not None:
        display.console.print(kept(report.robustness).printed(6))
    if letters.missing:
        display.note(
            f"no font here has {len(letters.missing)} of the characters of class names; pictures show ? for them "
            f"and the number of the class, the tables have the names"
        )
    display.say(f"report: {folder / MARKDOWN}, with tables, and as {command.pictures.in_words()} {', '.join(drawn)}")
    for sentence in report.verdict:
        display.say(sentence)

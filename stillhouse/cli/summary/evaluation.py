"""The report of `stillhouse evaluate --report`: the student beside its teacher, its baseline and another network."""

from __future__ import annotations

from pathlib import Path

from ...data import Data
from ...evaluation.measured import Measured, measured
from ...spelling import printable
from ...training.evaluation import Scores
from ...training.progress import Display
from ...training.teachers.located import Located
from ...training.teachers.teacher import Teacher
from ...user_code import named_by_run
from ..inspect import filled
from ..options.distill import Distill
from ..options.evaluate import Evaluate, data_of_run
from ..runs.beside import baseline_of, distillation, network_beside, teacher_of


def data_of_distillation(command: Evaluate, found: Located, display: Display) -> Data | None:
    """Load the data of a distillation as it was trained on, by which its baseline is found.

    None for other networks, and if the network is to be measured on other data.
    """
    distilled = _distillation(command, found)
    if distilled is None or command.data.data != data_of_run(found.folder).get("data"):
        return None
    return distilled.run.load(display, False, found.input)


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
    device = command.device.torch_device()
    networks = [measured("student", network, data, device, scores)]
    notes = []
    for role, place in _places(command).items():
        try:
            one = _beside(role, place, command, found, data, display)
            if one.net.foreign_logits:
                raise ValueError(f"{one.name} {one.net.foreign_logits}")
            networks.append(measured(role, one, data, device))
        except ValueError as error:
            if place is not None:
                raise ValueError(f"--{role}: {error}") from None
            notes.append(f"no {role} in the report: {error}")
    for note in notes:
        display.note(note)
    _write(command, networks, data, folder, notes, display)


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


def _write(
    command: Evaluate, networks: list[Measured], data: Data, folder: Path, notes: list[str], display: Display
) -> None:
    from ...analysis.figures import save  # they import matplotlib, which nothing else needs
    from ...analysis.fonts import Lettering
    from ...evaluation.figures import figures
    from ...evaluation.markdown import page
    from ...evaluation.report import MARKDOWN, Report, write
    from ...evaluation.tables import accuracy, differences

    names = [printable(name) for name in data.classes]
    report = Report.of(networks, data, names, notes)
    letters = Lettering.of([*names, report.named])
    formats = command.pictures.formats
    with filled(folder) as target:
        drawn = save(
            figures(report, letters.names(names), letters.text(report.named)), target, letters.families, formats
        )
        write(report, target, page(report, drawn, formats))
    display.console.print(accuracy(networks).printed(6))
    if len(networks) > 1:
        display.console.print(differences(networks).printed(6))
    if letters.missing:
        display.note(
            f"no font here has {len(letters.missing)} of the characters of class names; pictures show ? for them "
            f"and the number of the class, the tables have the names"
        )
    display.say(f"report: {folder / MARKDOWN}, with tables, and as {command.pictures.in_words()} {', '.join(drawn)}")

"""The stages of a planned distillation's networks, as a table and as options to paste."""

from __future__ import annotations

from collections.abc import Sequence

from ...analysis.tables import Fitting
from ...distillation import Distillation
from ...plan.stages import Place, as_option, pairs
from ...spelling import shortened
from ...training.progress import Display
from ...training.teachers.teacher import Teacher

_LONGEST = 24  # letters of a network's name in a heading


def of_stages(display: Display, teacher: Teacher, taught: Sequence[tuple[str, Distillation]], image_size: int) -> None:
    """Print the stages that were found in the networks, how they are paired, and, if that matters, as options."""
    options = list[str]()
    for name, distillation in taught:
        found = pairs(distillation.student, teacher.net, image_size)
        if found:
            headings = [*_headings("teacher", teacher.short), *_headings("student", shortened(name, _LONGEST))]
            rows = [(*_cells(theirs), *_cells(own)) for own, theirs in found]
            display.console.print(Fitting(headings, rows, names=len(headings)))
        display.say("; ".join(distillation.describe_spots()))
        is_paired = any(own and theirs and own.role.startswith("stage") for own, theirs in found)
        if _reads_features(distillation) or not is_paired:
            options.append(as_option("student_anatomy", distillation.student.anatomy))
    if options:
        display.say("what was found, as options, to be edited where other stages are meant:")
        for option in (*options, as_option("teacher_anatomy", teacher.net.anatomy)):
            display.paste(option)
    else:
        display.say(
            "no method here reads stages; with one that does, such as --methods CE,FitNet, they are printed to edit"
        )


def _reads_features(distillation: Distillation) -> bool:
    spots = [spot for _, method in distillation.named_methods() for pair in method.spots for spot in pair]
    return any(spot != "logits" for spot in spots)


def _headings(role: str, name: str) -> tuple[str, str, str]:
    return role, shortened(name, _LONGEST), "CxHxW"


def _cells(place: Place | None) -> tuple[str, str, str]:
    return ("", "", "") if place is None else (place.role, place.path, place.shape)

"""After a distillation: where the student is, and commands to go on with."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from ...data import DATASETS
from ...methods import CE
from ...methods.spec import MethodSpec
from ...training.progress import Display
from ...training.run_folder import Run


def show(display: Display, run: Run, asked: Mapping[str, object]) -> None:
    """Print where the student is and the next three commands, each on a line that can be pasted.

    Args:
        run: The student's run.
        asked: The options of the distillation.
    """
    folder = shlex.quote(str(run.folder))
    commands = {
        "pictures and tables of what it learned:": f"stillhouse inspect {folder}",
        "its accuracy once more; with --data FOLDER on other images:": f"stillhouse evaluate {folder}",
    }
    if asked["data"] in DATASETS:
        purpose = "the same on your own images, in a folder with one folder for each class:"
        commands[purpose] = f"stillhouse distill --data ~/images{_typed(asked, 'student')}"
    else:
        options = ("teacher", "teacher_weights", "teacher_mean", "teacher_std", "student", "student_weights")
        given = _typed(asked, "data", *options, "image_size", "epochs")
        commands["other methods beside it, with three seeds:"] = (
            f"stillhouse bench{given} --methods 'CE; CE + KD; CE + DKD'"
        )
    display.paste(f"student: {run.weights}")
    for purpose, command in commands.items():
        display.say(purpose)
        display.paste(f"  {command}")


def _typed(asked: Mapping[str, object], *names: str) -> str:
    """Return these options as words of a command line, except those without a value."""
    return "".join(f" --{name} {shlex.quote(_word(asked[name]))}" for name in names if asked.get(name) is not None)


def _word(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def files(display: Display, runs: Sequence[Run]) -> None:
    """Print where several students are."""
    for run in runs:
        if run.is_done:
            display.paste(f"student: {run.weights}")
    display.paste(
        f"their comparison once more, with charts: stillhouse report {shlex.quote(str(runs[0].folder.parent))}"
    )


def sum_of(methods: Sequence[MethodSpec]) -> str:
    """Return in words that several methods make one student, with their weights, and how to compare them."""
    terms = [f"{method.arguments.get('weight', 1):g} {method.cls.__name__}" for method in methods]
    others = [method.cls.__name__ for method in methods if method.cls is not CE]
    apart = "; ".join(f"CE + {name}" for name in (others or ["KD"])[:3])
    hint = f" (to compare them, one student each: --methods '{apart}')" if len(others) > 1 else ""
    return f"one student with the loss {' + '.join(terms)}{hint}"

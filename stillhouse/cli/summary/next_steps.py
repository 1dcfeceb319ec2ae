"""After a distillation: where the student is, and commands to go on with."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from ...data import DATASETS
from ...methods import CE
from ...methods.spec import MethodSpec
from ...spelling import rounded
from ...training.progress import Display
from ...training.run_folder import Run
from ..arguments import named_values
from ..options.bench import Bench
from ..options.distill import Distill
from ..options.grid import Grid
from .pasted import pasted

_OF_ITS_OWN = ("seeds", "recipe", "validation")  # options of a bench and a grid with other meanings or defaults


def show(display: Display, run: Run, command: Distill) -> None:
    """Print where the student is and the next three commands, each on a line that can be pasted.

    Args:
        run: The student's run.
        command: The distillation.
    """
    folder, asked = shlex.quote(str(run.folder)), named_values(command)
    commands = {
        "pictures and tables of what it learned:": f"stillhouse inspect {folder}",
        "its accuracy once more, in detail; with --data FOLDER on other images:": f"stillhouse evaluate {folder} "
        "--report true",
    }
    if asked["data"] in DATASETS:
        purpose = "the same on your own images, in a folder with one folder for each class:"
        commands[purpose] = f"stillhouse distill --data ~/images --student {shlex.quote(str(asked['student']))}"
    else:
        methods = {"methods": "CE; CE + KD; CE + DKD"}
        commands["other methods beside it, with three seeds:"] = pasted(
            "bench", Bench, {**_pair(asked), **methods}, asked, _OF_ITS_OWN
        )
    display.paste(f"student: {run.weights}")
    for purpose, words in commands.items():
        display.say(purpose)
        display.paste(f"  {words}")


def other_weights(command: Distill, method: str) -> str:
    """Return the command that tries a tenth, a third and all of the weight of a method that the student learned by."""
    methods = command.distillation.methods
    own = {"methods": methods if isinstance(methods, str) else ", ".join(methods)}
    known = {spec.cls.__name__: spec.arguments.get("weight") for spec in command.distillation.method_specs()}
    now = known.get(method)
    whole = now if isinstance(now, int | float) and now > 0 else 1
    own |= {"grid": f"{method}.weight={','.join(rounded(part * whole) for part in (0.1, 0.3, 1))}"}
    asked = named_values(command)
    return pasted("grid", Grid, {**_pair(asked), **own}, asked, _OF_ITS_OWN)


def _pair(asked: Mapping[str, object]) -> dict[str, object]:
    return {name: asked[name] for name in ("data", "teacher", "teacher_weights", "student")}


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
    hint = f" (to compare them, one student each, type for example --methods '{apart}')" if len(others) > 1 else ""
    return f"one student with the loss {' + '.join(terms)}{hint}"

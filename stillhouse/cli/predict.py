"""`stillhouse predict`: the classes of images, as a trained network or an exported file sees them."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from rich.table import Table

from ..checkpoints import write_atomically
from ..data.contents import unseen_damage
from ..export.files import Exported, is_exported, open_exported
from ..export.images import named
from ..export.predict import Prediction, predict
from ..export.student import Student, open_student
from ..models.spec import NetworkSource
from ..spelling import counted
from ..training.progress import Display
from .options.predict import Format, Predict


def predicted(command: Predict, display: Display) -> int:
    """Predict, and return the exit code: 1 if images cannot be read."""
    asked, kind = command.network, command.network.kind()
    display.console.stderr = kind != "table" and asked.output is None  # standard output is for the classes alone
    images = named(asked.images)
    network = _opened(command, display)
    count = min(asked.top, len(network.classes))
    found = map(
        _checked, predict(images, network.steps, network.classes, network.probabilities, count, asked.batch_size)
    )
    if kind == "table":
        everything = list(found)
        _print(everything, count, display)
        return _told(everything, display)
    if asked.output is None:
        try:
            return _told(_write(found, kind, count, sys.stdout), display)
        except BrokenPipeError:  # whoever reads has seen enough, such as head
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where the interpreter flushes at its end
            return 0
    content = io.StringIO()
    everything = _write(found, kind, count, content)
    write_atomically(asked.output, content.getvalue().encode(errors="backslashreplace"))
    display.say(f"{counted(len(everything), 'image')} in {asked.output}")
    return _told(everything, display)


def _checked(one: Prediction) -> Prediction:
    """Take the classes away from an image that decodes to garbage, which training would refuse."""
    problem = one.problem or unseen_damage(Path(one.image))
    return Prediction(one.image, () if problem else one.top, problem)


def _opened(command: Predict, display: Display) -> Student | Exported:
    """Open the network of a run, or an exported file, which runs on the CPU."""
    asked = command.network
    if not is_exported(asked.model):
        return open_student(NetworkSource(asked.model, asked.weights), display.note).to(command.device.torch_device())
    if asked.weights:
        raise ValueError(f"{asked.model} has its weights; leave out --weights")
    if command.device.device == "cuda":
        raise ValueError(f"{asked.model} runs on the CPU here; leave out --device cuda")
    return open_exported(Path(asked.model).expanduser(), asked.trust)


def _print(found: Sequence[Prediction], count: int, display: Display) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("image", overflow="fold")  # whole on narrow screens as well, where names often begin alike
    for n in range(1, count + 1):
        table.add_column("class" if n == 1 else f"class {n}")
        table.add_column("probability" if n == 1 else "", justify="right", no_wrap=True)
    for one in found:
        if not one.problem:
            table.add_row(one.image, *(word for name, value in one.top for word in (name, f"{100 * value:.2f} %")))
    if table.row_count:
        display.console.print(table)


def _write(found: Iterable[Prediction], kind: Format, count: int, to: TextIO) -> list[Prediction]:
    """Write predictions as they come, and return them."""
    done, rows = [], csv.writer(to, lineterminator="\n")
    if kind == "csv":
        rows.writerow(["image", *_columns(count), "problem"])
    for one in found:
        if kind == "csv":
            values: list[object] = [word for name, value in one.top for word in (name, f"{value:.6g}")]
            rows.writerow([one.image, *(values or [""] * 2 * count), one.problem])
        else:
            top = [{"class": name, "probability": value} for name, value in one.top]
            about = {"problem": one.problem} if one.problem else {**top[0], **({"top": top} if count > 1 else {})}
            to.write(json.dumps({"image": one.image, **about}) + "\n")
        to.flush()
        done.append(one)
    return done


def _told(found: Sequence[Prediction], display: Display) -> int:
    """Tell which images cannot be read, and return the exit code."""
    broken = [one for one in found if one.problem]
    for one in broken:
        display.say(f"unreadable: {one.problem}")
    if broken:
        display.note(f"{len(broken):,} of {counted(len(found), 'image')} could not be read")
    return 1 if broken else 0


def _columns(count: int) -> list[str]:
    return [f"{name}{'' if n == 1 else f'_{n}'}" for n in range(1, count + 1) for name in ("class", "probability")]

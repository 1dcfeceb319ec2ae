"""The networks that a run is compared with: its teacher, and the student by itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from ...checkpoints import about_weights
from ...data import Data
from ...models.spec import NetworkSource
from ...training.progress import Display
from ...training.run_files import read_config
from ...training.teachers.located import Located, locate
from ...training.teachers.places import is_place, without_weights
from ...training.teachers.teacher import Teacher, prepare, trained
from ..arguments import parse
from ..options.distill import Distill
from .build import run_alone, trainer_alone


def distillation(folder: Path, instead: Mapping[str, object]) -> Distill | None:
    """Return the options of a finished distillation; None for a network that learned by itself.

    Args:
        instead: Options that replace those of its configuration.
    """
    config = folder / "config.yaml"
    if not config.exists() or "methods" not in read_config(config):
        return None
    return parse("distill", Distill, ["--config", str(config)], instead={"folder": folder.absolute().parent, **instead})


def teacher_of(distilled: Distill, data: Data, device: torch.device, display: Display) -> Teacher:
    """Find the teacher of a finished distillation, including one that was trained for it.

    Raises:
        ValueError: If it is not there any more.
    """
    found, options = locate(distilled.teacher_source()), distilled.teacher_run()
    if found.source.weights:
        return distilled.read_teacher(found, data, display)
    run = trainer_alone(found.source, data, options).run
    if not run.is_done:
        raise ValueError(f"the teacher {found.given} is not in {options.output.folder} any more; give its --teacher")
    return trained(str(run.folder), data, found.source.anatomy, device)


def baseline_of(distilled: Distill, data: Data) -> Path | None:
    """Return the finished run of the student by itself that lies beside a distillation; None if there is none."""
    run = run_alone(distilled.distillation.student_source(), data, distilled.run)
    return run.folder if run.is_done else None


def network_at(place: str, otherwise: str) -> Located:
    """Find a network with weights.

    Args:
        place: The folder of a run, a file from one, or a file of weights.
        otherwise: Name of the network whose weights a file is if it does not say.

    Raises:
        ValueError: If there is none.
    """
    path = Path(place).expanduser()
    is_bare = is_place(place) and path.is_file() and not isinstance(about_weights(path).get("network"), str)
    found = locate(NetworkSource(otherwise, str(path)) if is_bare else NetworkSource(place), "--weights")
    if not found.source.weights:
        raise ValueError(without_weights(place))
    return found


def network_beside(place: str, otherwise: str, data: Data, device: torch.device, display: Display) -> Teacher:
    """Read a network that is to be measured beside another; arguments and errors as for `network_at`."""
    return prepare(network_at(place, otherwise), data, device, option="--weights", say=display.note)

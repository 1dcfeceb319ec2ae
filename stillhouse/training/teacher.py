"""Trained networks: where they are read from, and whether they can teach."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ..analysis.metrics import divergence
from ..anatomy import Anatomy
from ..checkpoints import about_weights, fingerprint, load_weights
from ..data import Data, Split
from ..models import MODELS
from ..models.create import is_ours, network
from ..models.spec import PRETRAINED, NetworkSource
from ..taps import Tapped
from .evaluation import Scores, evaluate
from .progress import Display
from .run_files import read_result
from .teacher_checks import check_teacher


@dataclass(frozen=True)
class Teacher:
    """A trained network and what is known of it."""

    net: Tapped
    name: str
    about: Mapping[str, object] = field(default_factory=dict)

    @property
    def short(self) -> str:
        """The name without the folders of a file."""
        return self.name.rpartition("/")[2]

    def scores(self, split: Split, device: torch.device) -> Scores:
        """Return its scores on held-out images, in the precision of its forward pass in training."""
        with self.net.autocast(device):
            return evaluate(self.net.model.to(device), split, device)

    def identity(self) -> dict[str, object]:
        return {"network": self.name, "weights": fingerprint(self.net.model)}


def trained(path: str, data: Data, anatomy: Anatomy | None, device: torch.device) -> Teacher:
    """The network of a run folder, or of a safetensors file that one holds.

    Raises:
        ValueError: If there is no finished run, or a file that came alone names somebody's code to run.
    """
    place = Path(path).expanduser()
    is_run = place.is_dir()
    if is_run:
        read_result(place)
        place = place / "student.safetensors"
    known = about_weights(place)
    name = known.get("network")
    if not isinstance(name, str):
        raise ValueError(f"{path} does not say which network it holds; give its name, and the file as its weights")
    if not is_run and not is_ours(name):
        raise ValueError(f"{path} wants to run {name}; if you trust that, give {name}, and the file as its weights")
    source = NetworkSource(name, anatomy=anatomy)
    classes = known.get("classes")
    model = network(name, len(classes) if isinstance(classes, list) else len(data.classes), data.info.image_size)
    load_weights(model, place)
    return Teacher(source.tapped(model.to(device).eval(), data), name, known)


def find_trained(
    source: NetworkSource, data: Data, device: torch.device, seed: int = 0, option: str = "--teacher_weights"
) -> Teacher | None:
    """Find a trained network: that of a run, of a safetensors file, or one by name with its weights.

    Args:
        seed: Of what the weights leave out.
        option: The option that gives the weights, for messages.

    Returns:
        None for a network by name that has no weights.

    Raises:
        ValueError: If there is nothing of that name, or its weights are given twice.
    """
    if _is_place(source.name):
        if source.weights:
            raise ValueError(f"{source.name} already has weights; leave out {option}")
        return trained(source.name, data, source.anatomy, device)
    if not source.weights:
        return None
    model = source.build(data, seed).to(device).eval()
    known = {} if source.weights == PRETRAINED else about_weights(Path(source.weights).expanduser())
    return Teacher(source.tapped(model, data), source.name, known)


def _is_place(name: str) -> bool:
    """Tell the place of a trained network from the name of one; names of the zoo win over folders."""
    place = Path(name).expanduser()
    if not place.exists() and (os.sep in name or place.suffix in (".safetensors", ".pth", ".pt")) and ":" not in name:
        raise ValueError(f"there is no {name}; give the folder of a finished run, or a network by name")
    return place.exists() and ":" not in name and name not in MODELS


def examine(
    teacher: Teacher, precision: torch.dtype | None, device: torch.device, data: Data, display: Display
) -> Scores:
    """Measure a teacher on the held-out images, in the precision that it teaches in from now on.

    Args:
        precision: To autocast to; None for float32.

    Raises:
        ValueError: If it is no teacher for these data.
    """
    held_out = data.validation or data.test
    scores = teacher.scores(held_out, device)
    check_teacher(teacher.name, scores, data, teacher.about)
    teacher.net.precision = precision
    if precision is None:
        return scores
    name = str(precision).removeprefix("torch.")
    rough = teacher.scores(held_out, device)
    check_teacher(f"{teacher.name} in {name}", rough, data, teacher.about)
    display.say(
        f"teacher in {name}: {rough.top1:.2f} % top-1, {scores.top1:.2f} % in float32; its "
        f"probabilities differ by a KL divergence of {divergence(rough, scores):.1e}, and "
        f"{rough.agreement(scores):.2f} % of its guesses are the same"
    )
    return rough

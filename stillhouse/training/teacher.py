"""Trained networks: where they are read from, and whether they can teach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ..analysis.metrics import divergence
from ..anatomy import Anatomy
from ..checkpoints import about_weights, fingerprint, load_weights
from ..cli.build import Setting
from ..data import Data, Split
from ..models.create import is_ours, network
from ..models.spec import NetworkSource
from ..taps import Tapped
from .evaluation import Scores, evaluate
from .progress import Display
from .run_folder import read_result
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
        """What it says about held-out images, in the precision it teaches in."""
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


def teach_in(teacher: Teacher, setting: Setting) -> None:
    """From now on it computes in the precision that was asked for."""
    wanted = setting.teacher_precision
    teacher.net.precision = None if wanted == "float32" else getattr(torch, wanted)


def examine(teacher: Teacher, setting: Setting, data: Data, display: Display) -> Scores:
    """What a teacher says about the held-out images, in the precision it is to teach in.

    Raises:
        ValueError: If it is no teacher for these data.
    """
    held_out, device = data.validation or data.test, setting.torch_device()
    scores = teacher.scores(held_out, device)
    check_teacher(teacher.name, scores, data, teacher.about)
    if setting.teacher_precision == "float32":
        return scores
    teach_in(teacher, setting)
    rough = teacher.scores(held_out, device)
    check_teacher(f"{teacher.name} in {setting.teacher_precision}", rough, data, teacher.about)
    display.say(
        f"teacher in {setting.teacher_precision}: {rough.top1:.2f} % top-1, {scores.top1:.2f} % in float32; its "
        f"probabilities differ by a KL divergence of {divergence(rough, scores):.1e}, and "
        f"{rough.agreement(scores):.2f} % of its guesses are the same"
    )
    return rough

"""A trained network with all that using it takes: its classes, and how its images are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..checkpoints import fingerprint
from ..checkpoints.load import Say
from ..forward import are_probabilities, noise
from ..models.spec import NetworkSource
from ..training.teachers.located import Located, locate
from ..training.teachers.places import without_weights
from ..user_code import Untrusted
from .preprocessing import Preprocessing

Probabilities = Callable[[Tensor], Tensor]  # (N, 3, S, S) uint8 -> (N, C) float32, on the CPU


@dataclass(frozen=True)
class Student:
    """A trained network, in eval mode.

    Args:
        model: Takes normalised images and returns logits, or probabilities.
        name: The network's name.
        classes: In the order of its outputs.
        steps: How its images are made.
        found: Its place.
        returns_probabilities: True for a network that ends in a softmax of its own.
    """

    model: nn.Module
    name: str
    classes: tuple[str, ...]
    steps: Preprocessing
    found: Located
    returns_probabilities: bool = False

    @property
    def short(self) -> str:
        """The name without the folders before a file."""
        return self.name.rpartition("/")[2]

    @property
    def folder(self) -> Path | None:
        """The folder of its run, if that was given."""
        return self.found.folder

    @property
    def weights_hash(self) -> str:
        """A hash of its weights."""
        return fingerprint(self.model)

    def to(self, device: torch.device) -> Student:
        """Move it to a device, and return itself."""
        self.model.to(device)
        return self

    @torch.no_grad()
    def outputs(self, pixels: Tensor) -> Tensor:
        """Return what the network itself returns: (N, 3, S, S) uint8 -> (N, C) float32, on the CPU."""
        device = next(self.model.parameters()).device
        outputs: Tensor = self.model(self.steps.normalise(pixels.to(device)))
        return outputs.float().cpu()

    def probabilities(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) uint8 -> (N, C) float32, on the CPU"""
        outputs = self.outputs(pixels)
        return outputs if self.returns_probabilities else outputs.softmax(1)


def open_student(source: NetworkSource, say: Say) -> Student:
    """Open the network of a run's folder, of a file from one, or a network by name with such a file as its weights.

    Args:
        say: Called with a sentence for each thing that a user should know.

    Raises:
        ValueError: If there is none, or its file does not say its classes and how its images were made.
    """
    found = locate(source, "--weights")
    if not found.source.weights:
        raise ValueError(without_weights(source.name))
    steps = Preprocessing.of_header(found.about, found.source.weights)
    classes = classes_of(found.about, found.source.weights)
    if not steps.is_certain and steps.resize == "crop":
        say(
            f"{found.given} does not say how much of each image its training used; as others of its kind it is given "
            f"images of {steps.words()}"
        )
    with torch.random.fork_rng(devices=[]):
        model = _built(found, len(classes), steps.size, say).eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    with torch.no_grad():
        outputs = model(noise(model, steps.size))
    if outputs.shape != (2, len(classes)):
        raise ValueError(f"{found.given} names {len(classes):,} classes, but its network returns {outputs.shape[1:]}")
    return Student(model, found.source.name, classes, steps, found, are_probabilities(outputs))


def _built(found: Located, count: int, size: int, say: Say) -> nn.Module:
    try:
        with found.origin(()):
            return found.source.build_for(count, size, say=say)
    except Untrusted as error:
        raise ValueError(
            f"{error}; if you trust it, give {found.source.name} as the network, and {found.given} with --weights"
        ) from None


def classes_of(about: Mapping[str, object], name: str) -> tuple[str, ...]:
    """Return the classes that a file names.

    Raises:
        ValueError: If it names none, or one twice.
    """
    names = about.get("classes")
    if not isinstance(names, list) or not names or not all(isinstance(one, str) for one in names):
        raise ValueError(f"{name} does not name its classes; give a file that stillhouse wrote")
    if len(set(names)) < len(names):
        raise ValueError(f"{name} is damaged (it names a class twice); get it again")
    return tuple(names)

"""A network as a command names it: its name, the weights it starts from, its anatomy."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from ..anatomy import Anatomy
from ..checkpoints import load_weights
from ..data import Data
from ..taps import Tapped
from ..user_code import hash_of_file
from .create import network, network_files

PRETRAINED = "pretrained"


@dataclass(frozen=True)
class NetworkSource:
    """A network by name, the weights it starts from, and landmarks that are known better than found."""

    name: str
    weights: str | None = None
    anatomy: Anatomy | None = None

    def build(self, data: Data, seed: int) -> nn.Module:
        size = data.info.image_size
        model = network(self.name, len(data.classes), size, seed=seed, pretrained=self.weights == PRETRAINED)
        if self.weights not in (None, PRETRAINED):
            load_weights(model, Path(str(self.weights)).expanduser())
        return model

    @property
    def short(self) -> str:
        """The name without the folders of a file."""
        return self.name.rpartition("/")[2]

    def tapped(self, model: nn.Module, data: Data) -> Tapped:
        return Tapped(model, Anatomy.of(model, data.info.image_size, self.anatomy))

    def identity(self) -> dict[str, object]:
        """Return all that the network depends on, for the hash of a run."""
        weights = [] if self.weights in (None, PRETRAINED) else [Path(str(self.weights)).expanduser()]
        return {
            "name": self.name,
            "weights": PRETRAINED if self.weights == PRETRAINED else None,
            "files": [hash_of_file(file) for file in [*network_files(self.name), *weights]],
            "anatomy": dataclasses.asdict(self.anatomy) if self.anatomy else None,
        }

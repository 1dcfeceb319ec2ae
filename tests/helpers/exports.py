"""A student that is small enough to export in a second, with data on which it is right."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from stillhouse.data import Data, load
from stillhouse.export.student import Student, open_student
from stillhouse.export.write import to_onnx
from stillhouse.models.spec import NetworkSource
from tests.helpers.commands import World

if TYPE_CHECKING:
    import onnx

_MADE: dict[tuple[str, bool], "onnx.ModelProto"] = {}


def onnx_of(student: Student, with_preprocessing: bool) -> "onnx.ModelProto":
    """Return a student as an ONNX model, exported once for all tests: that takes a second or two."""
    key = student.weights_hash, with_preprocessing
    if key not in _MADE:
        _MADE[key] = to_onnx(student, with_preprocessing)
    return copy.deepcopy(_MADE[key])


@dataclass(frozen=True)
class Shop:
    """A trained student, opened, and the data of its run."""

    student: Student
    data: Data
    world: World

    @classmethod
    def of(cls, world: World, cache: Path) -> "Shop":
        return cls(open_student(NetworkSource(str(world.teacher)), str), load(world.pictures, download_to=cache), world)

    @property
    def files(self) -> list[str]:
        """The held-out images, in the order of the data."""
        names = sorted((self.world.pictures / "val").glob("*/*.png"), key=lambda path: (path.parent.name, path.name))
        return list(map(str, names))

    def pixels(self, count: int = 24) -> Tensor:
        """Return held-out images, (count, 3, S, S) uint8."""
        steps = self.student.steps
        return torch.stack([steps.pixels(Path(file), file) for file in self.files[:count]])

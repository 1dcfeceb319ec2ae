"""A small world for the commands: pictures on disk, networks and methods of a user's own, a trained teacher."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stillhouse.__main__ import main
from tests.quick import quick_net_file

CLASSES = ("ant", "bee", "cat")
METHOD = """
from torch import Tensor
from stillhouse import LogitMethod

class MyKD(LogitMethod):
    def __init__(self, weight: float = 1.0):
        super().__init__(weight)

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return (student - teacher).square().mean(1)
"""


def write_pictures(root: Path, classes: tuple[str, ...] = CLASSES, train: int = 16, size: int = 16) -> Path:
    """train/CLASS/0.png and val/CLASS/0.png: noise, each class with a colour of its own."""
    noise = np.random.default_rng(0)
    for split, count in (("train", train), ("val", train // 2)):
        for label, name in enumerate(classes):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = noise.integers(0, 60, (size, size, 3), dtype=np.uint8)
                pixels[..., label % 3] += 120
                Image.fromarray(pixels).save(root / split / name / f"{number}.png")
    return root


@dataclass(frozen=True)
class World:
    """Where everything is. `runs` holds a finished run, which every test leaves as it is."""

    root: Path
    pictures: Path
    nets: str
    method: str
    teacher: Path

    @property
    def runs(self) -> Path:
        return self.teacher.parent

    def small(self, folder: Path, epochs: int = 2) -> list[str]:
        """Options that all commands share: small data, a few steps."""
        words = f"--data {self.pictures} --epochs {epochs} --batch_size 16 --device cpu --folder {folder}"
        return words.split()

    def distill(self, folder: Path, *more: str, epochs: int = 2) -> list[str]:
        """A distillation from the trained teacher; the student has two convolutions."""
        words = ["distill", "--teacher", str(self.teacher), "--student", f"{self.nets}:small"]
        return [*words, *self.small(folder, epochs), *more]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("world")
    pictures, nets, runs = write_pictures(root / "pictures"), quick_net_file(root), root / "runs"
    (root / "my_kd.py").write_text(METHOD)
    world = World(root, pictures, nets, str(root / "my_kd.py"), runs / "none")
    assert main(["train", "--model", f"{nets}:wide", *world.small(runs, epochs=4)]) == 0
    (teacher,) = runs.iterdir()
    return World(root, pictures, nets, world.method, teacher)


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder, with the time of its last change."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

"""What the tests of commands need: pictures on disk, a user's networks and method, a trained teacher, output."""

import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from stillhouse.__main__ import main
from tests.helpers.networks import quick_net_file
from tests.helpers.pictures import write_pictures

METHOD = """
from torch import Tensor
from stillhouse import LogitMethod

class MyKD(LogitMethod):
    def __init__(self, weight: float = 1.0):
        super().__init__(weight)

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return (student - teacher).square().mean(1)
"""


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
    """Return every file below a folder with its time of last change and its bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def printed(table: RenderableType, width: int = 160) -> list[str]:
    """Return the lines of a table as a terminal of this width shows them."""
    console = Console(file=io.StringIO(), width=width, markup=False)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


def refusal(capsys: pytest.CaptureFixture[str], words: list[str]) -> str:
    """What a command says when it refuses: one line on stderr, and exit code 2."""
    capsys.readouterr()
    assert main(words) == 2
    outputs = capsys.readouterr().err
    assert outputs.startswith("stillhouse: ")
    assert outputs.count("\n") == 1
    return outputs


def done(capsys: pytest.CaptureFixture[str], words: list[str]) -> str:
    """What a command prints when all is well: nothing on stderr, and exit code 0."""
    capsys.readouterr()
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def only(folder: Path, begins: str = "") -> Path:
    (run,) = (path for path in folder.iterdir() if path.name.startswith(begins))
    return run

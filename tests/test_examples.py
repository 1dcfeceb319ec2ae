"""Each host of examples/own_loop/ trains a student that has learned, and saves it alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stillhouse import network

HERE = Path(__file__).parent.parent / "examples" / "own_loop"
SAVES = {
    "plain_pytorch.py": "student.pt",
    "with_accelerate.py": "student.safetensors",
    "with_lightning.py": "student.pt",
    "with_timm.py": "last.pth.tar",
}


def run(name: str, folder: Path) -> list[str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(HERE / name)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def weights(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    found = torch.load(path, weights_only=path.suffix == ".pt")
    state: dict[str, Tensor] = found if path.suffix == ".pt" else found["state_dict"]
    return state


def test_every_host_is_run_here() -> None:
    assert {path.name for path in HERE.glob("*.py")} == {"yours.py", *SAVES}


@pytest.mark.parametrize("name", SAVES)
def test_a_host_trains_a_student_and_saves_it_alone(name: str, tmp_path: Path) -> None:
    *_, last = run(name, tmp_path)
    assert float(last.removesuffix(" %")) > 85  # of ten classes, after some seconds
    saved = weights(tmp_path / SAVES[name])
    if name == "with_timm.py":
        import timm

        assert saved.keys() == timm.create_model("test_resnet", num_classes=10).state_dict().keys()
    else:
        network("resnet8", 10, 16).load_state_dict(saved)

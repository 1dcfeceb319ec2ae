"""`stillhouse check`, and what it takes to add a method: a file, or a file and a line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stillhouse.__main__ import main
from stillhouse.contract import LAWS, Subject
from stillhouse.contract.check import check, outcome
from stillhouse.methods.parse import parse
from stillhouse.training.progress import Display
from tests.helpers.commands import World

Capture = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[2]
METHOD = '''"""Signs of logits."""

from torch import Tensor

from {package} import LogitMethod


class Signs(LogitMethod):
    """Signs and Wonders (Somebody et al., ICLR 2020)."""

    def __init__(self, weight: float = 1.0, power: int = 2):
        super().__init__(weight)
        self.power = power

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return {loss}
'''
GOOD = "(student - teacher.sign()).abs().pow(self.power).mean(1)"


def method_file(folder: Path, loss: str = GOOD) -> str:
    path = folder / "signs.py"
    path.write_text(METHOD.format(package="stillhouse", loss=loss))
    return str(path)


def test_a_good_method_passes_with_a_line_for_each_law(tmp_path: Path, capsys: Capture) -> None:
    assert main(["check", f"{method_file(tmp_path)}:Signs(power=3)"]) == 0
    out, err = capsys.readouterr()
    first, *lines, last = out.splitlines()
    assert err == ""
    assert first.endswith("signs.py:Signs(weight=1.0, power=3)")
    assert len(lines) == len(LAWS)
    (note,) = (line for line in lines if line.startswith("  note  "))
    assert note.startswith("  note            loss must be 0 for identical networks: got ")
    assert "  not applicable  the memory format of feature maps does not matter: it reads no feature maps" in lines
    skipped = sum(line.startswith("  not applicable  ") for line in lines)
    counts = f"{len(LAWS) - 1 - skipped} ok, 1 with a note, {skipped} not applicable, 0 broken, "
    assert f": {len(LAWS)} laws: {counts}" in last


def test_a_bad_method_fails_with_each_error_and_its_line_once(tmp_path: Path, capsys: Capture) -> None:
    file = method_file(tmp_path, "(student - teacher).square().sqrt()[:, :1] + self.missing")
    assert main(["check", f"{file}:Signs"]) == 2
    out, err = capsys.readouterr()
    error = "AttributeError in signs.py, line 16: 'Signs' object has no attribute 'missing'"
    first, rest = (line for line in out.splitlines() if line.startswith("  wrong  "))
    assert (
        first == f"  wrong           a ResNet from a wider one can be distilled, or is refused with a reason: {error}"
    )
    more = int(rest.split()[1])
    assert rest == f"  wrong           {more} more laws, by the same error: AttributeError in signs.py, line 16"
    assert more > 10
    assert err == f"stillhouse: {file}:Signs breaks {more + 1} of {len(LAWS)} laws\n"


def test_methods_are_checked_one_after_the_other(capsys: Capture) -> None:
    check("CE, Ramped(KD)", Display())
    heads = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert [head.split("(")[0].split(":")[0] for head in heads] == ["CE", "CE", "Ramped", "Ramped"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "takes one word, such as my_method.py:MyMethod, not 0"),
        (["KD", "AT"], "takes one word, such as my_method.py:MyMethod, not 2"),
        (["KDD"], "there is no method 'KDD'. Did you mean KD"),
        (["nowhere.py:Mine"], "there is no file nowhere.py"),
    ],
)
def test_what_cannot_be_checked_is_one_sentence(words: list[str], sentence: str, capsys: Capture) -> None:
    assert main(["check", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_warnings_of_a_method_are_no_errors(tmp_path: Path) -> None:
    file = method_file(tmp_path, "__import__('warnings').warn('careful') or " + GOOD)
    (law,) = (law for law in LAWS if "bfloat16" in law.says)
    assert outcome(law, Subject(parse(f"{file}:Signs")[0])).verdict == "ok"


def test_a_file_is_all_it_takes_to_train_with_a_method(world: World, tmp_path: Path) -> None:
    method = f"{method_file(tmp_path)}:Signs(weight=2)"
    assert main(world.distill(tmp_path / "runs", "--methods", f"CE, {method}", "--baseline", "false")) == 0
    (run,) = (tmp_path / "runs").iterdir()
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 2
    assert 0 < rows[1]["Signs"] < rows[0]["Signs"]
    assert "top1" in json.loads((run / "result.json").read_text())
    ce, signs = yaml.safe_load((run / "config.yaml").read_text())["methods"]
    assert (ce, signs) == ("CE(weight=1.0)", f"{tmp_path}/signs.py:Signs(weight=2.0, power=2)")


TEST = '''"""Signs by its equation."""

import torch

from stillhouse.methods import Signs
from tests.helpers.contract import ZERO_LOSS

NOTES = {ZERO_LOSS}


def test_it_is_the_mean_distance_of_the_students_logits_from_the_teachers_signs() -> None:
    student, teacher = torch.tensor([[1.0, -2.0]]), torch.tensor([[3.0, 4.0]])
    assert Signs(power=2).loss(student, teacher, torch.tensor([0])).item() == (0**2 + 3**2) / 2
'''


def test_three_files_make_a_method_one_of_the_package(tmp_path: Path) -> None:
    """As CONTRIBUTING.md says it, in a copy: all laws hold there, and nothing else was written."""
    for name in ("stillhouse", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("docs", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    methods = tmp_path / "stillhouse" / "methods"
    (methods / "signs.py").write_text(METHOD.format(package="..method", loss=GOOD))
    with (methods / "__init__.py").open("a") as catalogue:
        catalogue.write("from .signs import Signs as Signs\n")
    (tmp_path / "tests" / "methods" / "test_signs.py").write_text(TEST)
    files = ["tests/methods/test_signs.py", "tests/methods/test_contract.py", "tests/test_house.py"]
    words = ["-n", "0", "-p", "no:cacheprovider", *files, "-k", "signs or every_source_file"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.partition("[")[0].count(".") == 1 + len(LAWS) + 1  # its own test, the laws, the house's rule

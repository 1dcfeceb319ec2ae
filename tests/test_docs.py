"""What documents and examples say is so: every block of code runs, every table is up to date."""

import os
import re
import runpy
import shlex
import subprocess
import sys
import time
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from stillhouse import data
from stillhouse.__main__ import main
from stillhouse.cli import arguments, parser
from stillhouse.cli.groups import length
from stillhouse.data import Arrays
from stillhouse.method import Method
from stillhouse.methods import CE
from stillhouse.models import MODELS
from stillhouse.training.student import StudentTrainer

ROOT = Path(__file__).parent.parent
BLOCKS = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted((ROOT / "docs").glob("your_own_*.md"))
GUIDE = (ROOT / "docs" / "your_own_method.md").read_text()
Capture = pytest.CaptureFixture[str]


def coloured(count: int) -> tuple[Tensor, Tensor]:
    """Images of 8 px, whose colours tell the ten classes apart, and their labels."""
    labels = torch.arange(count) % 10
    colours = 100 * torch.stack([labels // 3**channel % 3 for channel in range(3)], dim=1)
    noise = torch.randint(0, 50, (count, 8, 8, 3), generator=torch.Generator().manual_seed(0))
    return (colours[:, None, None] + noise).to(torch.uint8), labels


@pytest.fixture
def easy_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, where `digits` are few and networks small: all is soon learned."""

    def easy(folder: Path) -> Arrays:
        return Arrays("digits", "no digits", *coloured(160), *coloured(60), tuple("0123456789"), flip=False)

    monkeypatch.setitem(data.DATASETS, "digits", replace(data.DATASETS["digits"], read=easy))
    monkeypatch.setitem(length.EPOCHS, "digits", 10)
    for large in ("resnet20", "resnet32"):
        monkeypatch.setitem(MODELS, large, MODELS["resnet8"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def test_every_row_of_the_table_of_methods_is_true() -> None:
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    page, right = (ROOT / "docs" / "methods.md").read_text(), generate["text"]()
    wrong, _ = generate["differences"](page, right)  # methods that it lacks are in `stillhouse list methods`
    assert wrong == [], "python docs/generate.py"
    assert generate["differences"](page.replace("| 0.9 |", "| 0.8 |"), right)[0]


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_every_block_of_a_page_runs(page: Path, easy_digits: Path, capsys: Capture) -> None:
    """Python is written to the file it names and run, commands are run, and text is what was printed."""
    out = ""
    for kind, block in BLOCKS.findall(page.read_text()):
        if kind == "text":
            assert set(block.splitlines()) <= set(out.splitlines())
        elif kind == "sh":
            for line in block.splitlines():
                program, *words = shlex.split(line)
                assert program == "stillhouse"
                device = [] if words[0] in ("check", "list", "runs") else ["--device", "cpu"]
                assert main([*words, *device]) == 0, line
                out = capsys.readouterr().out
        else:
            assert kind == "python"
            name = block.partition("\n")[0].removeprefix("# ")
            (easy_digits / name).write_text(block)
            runpy.run_path(name)
            out = capsys.readouterr().out
    if page.stem == "your_own_method":
        assert [line.split()[0] for line in out.splitlines()] == ["KD", "AT", "Directions"]


MACHINES = BLOCKS.findall((ROOT / "docs" / "many_machines.md").read_text())


def test_the_commands_for_many_machines_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bench.yaml").write_text("methods: CE, CE + KD\n")
    Path("grid.yaml").write_text("grid: lr=0.1,0.2\n")
    lines = [shlex.split(line) for kind, block in MACHINES if kind == "sh" for line in block.splitlines()]
    assert len(lines) == 5
    for program, name, *words in lines:
        assert program == "stillhouse"
        arguments.parse(name, parser._COMMANDS[name].options, words)


@pytest.mark.parametrize("is_in_time", [True, False])
def test_the_script_for_slurm_saves_and_queues_again_only_when_time_is_up(tmp_path: Path, is_in_time: bool) -> None:
    (script,) = (block for kind, block in MACHINES if kind == "bash")
    (tmp_path / "script").write_text(script)
    waits = "trap 'echo saved >> log; exit 2' TERM; touch begun; while :; do sleep 0.02; done"
    for name, does in {"stillhouse": "exit 2" if is_in_time else waits, "scontrol": ":"}.items():
        (tmp_path / name).write_text(f'#!/bin/bash\necho "{name} $@" >> log\n{does}\n')
        (tmp_path / name).chmod(0o755)
    numbers = {"SLURM_ARRAY_JOB_ID": "70", "SLURM_ARRAY_TASK_ID": "3"}
    environment = {**os.environ, **numbers, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with subprocess.Popen(["bash", "script"], cwd=tmp_path, env=environment) as job:
        while not is_in_time and not (tmp_path / "begun").exists():
            time.sleep(0.01)
        if not is_in_time:
            job.terminate()
        code = job.wait(60)
    trained = "stillhouse bench --config bench.yaml --room 3\n"
    assert code == (2 if is_in_time else 0)
    assert (tmp_path / "log").read_text() == trained + ("" if is_in_time else "saved\nscontrol requeue 70_3\n")


def test_the_guide_names_every_member_of_a_method() -> None:
    members = {name for name in [*vars(Method), *vars(CE())] if not name.startswith("_")}
    not_for_methods = {"training", "call_super_init", "dump_patches"}  # PyTorch's
    assert {
        name for name in members - not_for_methods if f"`{name}`" not in GUIDE and f".{name}(" not in GUIDE
    } == set()


def test_the_guide_begins_small_and_shows_the_example() -> None:
    smallest, example = [block.partition("\n")[2] for kind, block in BLOCKS.findall(GUIDE) if kind == "python"][:2]
    assert len(smallest.splitlines()) <= 12
    assert example == (ROOT / "examples" / "your_own_method.py").read_text()
    assert len(example.splitlines()) <= 36


def test_the_readmes_example_has_two_imports_and_gives_the_same_number_each_time(
    easy_digits: Path, capsys: Capture
) -> None:
    (example,) = [block for kind, block in BLOCKS.findall((ROOT / "README.md").read_text()) if kind == "python"]
    assert [line.partition(" ")[0] for line in example.splitlines()[:3]] == ["from", "from", ""]
    (easy_digits / "example.py").write_text(example)
    numbers = []
    for place in ("first", "second"):
        torch.rand(1)  # the caller's random numbers play no part
        Path(place).mkdir()
        with chdir(place):
            runpy.run_path("../example.py")
        numbers.append(float(capsys.readouterr().out))
    assert numbers[0] == numbers[1]
    with chdir("second"), patch.object(StudentTrainer, "train_step", side_effect=AssertionError("trained again")):
        runpy.run_path("../example.py")
    assert float(capsys.readouterr().out) == numbers[0]
    assert 0 <= numbers[0] <= 100


PAGES_WITH_LINKS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")]


@pytest.mark.parametrize("page", PAGES_WITH_LINKS, ids=[str(page.relative_to(ROOT)) for page in PAGES_WITH_LINKS])
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_quickstart_runs(easy_digits: Path, capsys: Capture) -> None:
    runpy.run_path(str(ROOT / "examples" / "quickstart.py"))
    last = capsys.readouterr().out.splitlines()[-4:]
    assert [line.split("  ")[0] for line in last] == ["by itself", "KD", "AT", "regions"]
    assert all("agrees with the teacher on" in line for line in last)
    assert len(list((easy_digits / "runs" / "quickstart").glob("*/result.json"))) == 5


def test_every_example_is_run_here() -> None:
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == {"quickstart.py", "your_own_method.py"}
    folders = {path.name for path in (ROOT / "examples").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == {"own_loop"}  # see test_examples.py

"""Commands to go on with: they can be pasted whatever the names and the terminal."""

import re
import shlex
from pathlib import Path

import pytest

from stillhouse.cli.summary.next_steps import show
from stillhouse.training.progress import Display
from stillhouse.training.run_folder import Run

MORE: dict[str, object] = {"epochs": 6, "teacher_mean": [0.485, 0.456, 0.406]}
ASKED: dict[str, object] = {
    "data": "digits",
    "teacher": "resnet20",
    "teacher_weights": None,
    "student": "my nets.py:small",
}


def commands(text: str) -> list[list[str]]:
    return [shlex.split(line) for line in text.splitlines() if line.startswith("  stillhouse ")]


@pytest.mark.parametrize("columns", ["40", "160"])
def test_three_commands_and_the_file_on_lines_of_their_own(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("NO_COLOR", "1")
    run = Run(Path("my runs"), "a-long-name-of-a-run-that-is-longer-than-forty-letters", {})
    show(Display(), run, ASKED)
    out = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)
    assert f"student: {run.folder}/student.safetensors\n" in out
    assert commands(out) == [
        ["stillhouse", "inspect", str(run.folder)],
        ["stillhouse", "evaluate", str(run.folder)],
        ["stillhouse", "distill", "--data", "~/images", "--student", "my nets.py:small"],
    ]


def test_with_images_of_ones_own_other_methods_come_next(capsys: pytest.CaptureFixture[str]) -> None:
    show(Display(), Run(Path("runs"), "r", {}), {**ASKED, "data": "~/pets", "image_size": 64} | MORE)
    *_, bench = commands(capsys.readouterr().out)
    words = [
        "stillhouse",
        "bench",
        "--data",
        "~/pets",
        "--teacher",
        "resnet20",
        "--teacher_mean",
        "0.485,0.456,0.406",
        "--student",
        "X",
        "--image_size",
        "64",
        "--epochs",
        "6",
        "--methods",
    ]
    assert [*bench[:9], "X", *bench[10:-1]] == words
    assert bench[-1] == "CE; CE + KD; CE + DKD"

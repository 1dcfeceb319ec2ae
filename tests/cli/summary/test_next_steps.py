"""Commands to go on with: they can be pasted whatever the names and the terminal."""

import re
import shlex
from pathlib import Path

import pytest

from stillhouse.cli.arguments import named_values, parse
from stillhouse.cli.options.bench import Bench
from stillhouse.cli.options.distill import Distill
from stillhouse.cli.options.grid import Grid
from stillhouse.cli.summary.next_steps import other_weights, show
from stillhouse.training.progress import Display
from stillhouse.training.run_folder import Run


def distilled(*words: str) -> Distill:
    return parse("distill", Distill, ["--student", "my nets.py:small", *words])


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
    show(Display(), run, distilled())
    out = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)
    assert f"student: {run.folder}/student.safetensors\n" in out
    assert commands(out) == [
        ["stillhouse", "inspect", str(run.folder)],
        ["stillhouse", "evaluate", str(run.folder), "--report", "true"],
        ["stillhouse", "distill", "--data", "~/images", "--student", "my nets.py:small"],
    ]


OWN = (
    *("--data", "~/pets", "--teacher", "timm:resnet18", "--teacher_weights", "pets.pth", "--image_size", "64"),
    *("--teacher_mean", "0.485,0.456,0.406", "--teacher_std", "0.2,0.2,0.2", "--crop", "shifted"),
    *("--schedule", "cosine", "--epochs", "6", "--folder", "my runs", "--baseline", "false"),
)


def settings(words: list[str]) -> dict[str, object]:
    """Return the options of a bench or a grid that decide what is trained, as it reads them."""
    name, options = words[1], {"bench": Bench, "grid": Grid}[words[1]]
    found = named_values(parse(name, options, words[2:]))
    other = ("methods", "seeds", "grid", "pairs", "recipes", "given", "validation")
    return {name: value for name, value in found.items() if name not in other}


def test_with_images_of_ones_own_other_methods_come_next_with_the_same_settings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = distilled(*OWN)
    show(Display(), Run(Path("runs"), "r", {}), command)
    *_, bench = commands(capsys.readouterr().out)
    assert bench[:2] == ["stillhouse", "bench"]
    assert bench[bench.index("--methods") + 1] == "CE; CE + KD; CE + DKD"
    asked, read = named_values(command), settings(bench)
    assert {name: read[name] for name in read if name in asked} == {name: asked[name] for name in read if name in asked}
    assert parse("bench", Bench, bench[2:]).bench.seeds == 3


def test_other_weights_of_a_method_are_tried_with_the_same_settings() -> None:
    command = distilled(*OWN, "--methods", "CE + KD(temperature=2)")
    grid = shlex.split(other_weights(command, "KD"))
    asked, read = named_values(command), settings(grid)
    assert {name: read[name] for name in read if name in asked} == {name: asked[name] for name in read if name in asked}
    parsed = parse("grid", Grid, grid[2:])
    assert parsed.grid.methods == "CE + KD(temperature=2)"
    assert [axis.names for axis in parsed.grid.axes] == [("KD.weight",)]

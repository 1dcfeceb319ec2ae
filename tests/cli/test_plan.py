"""`stillhouse plan`: it says what a distillation will take, trains nothing, and its command can be pasted."""

from __future__ import annotations

import csv
import math
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from stillhouse.__main__ import main
from stillhouse.cli import plan
from stillhouse.cli.runs import courses
from stillhouse.cli.runs.planned import Planned
from stillhouse.plan.courses import Course
from tests.helpers.commands import World, contents, done, refusal


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_STEPS", "_OTHERWISE", "_CHANGED"):
        monkeypatch.setattr(courses, name, 0.05)
    monkeypatch.setattr(plan, "_LATENCY", 0.01)
    monkeypatch.setattr(plan, "_WHOLE", math.inf)  # so that nothing is left out on a slow machine
    monkeypatch.setattr(plan, "_COMPARING", math.inf)


def words(world: World, folder: Path, *more: str) -> list[str]:
    (_, *distill) = world.distill(folder)
    place = distill.index("--data")
    return ["plan", distill[place + 1], *distill[:place], *distill[place + 2 :], *more]


def pasted(out: str) -> list[list[str]]:
    return [shlex.split(line) for line in out.splitlines() if line.startswith("stillhouse distill ")]


def test_the_plan_names_what_is_there_and_its_command_trains_it(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(world.runs)
    students = f"{world.nets}:small,resnet8"
    out = done(capsys, [*words(world, tmp_path / "out", "--format", "svg"), "--student", students])
    assert "3 classes" in out
    assert "duplicates: none among" in out
    assert "CE uses labels; KD reads logits" in out
    assert " % top-1 on all " in out
    assert "_anatomy" not in out
    assert "no method here reads stages" in out
    assert "note: resnet8 has 77,587 parameters and its teacher 1,467; if" in out
    assert "swap --teacher and --student" in " ".join(out.split())
    assert f"{world.nets}:small has" not in out
    assert "resnet8: about " in out
    assert "steps are measured, epochs and totals computed" in out
    assert contents(world.runs) == before
    folder = tmp_path / "out" / "pictures-plan"
    names = {"classes.csv", "duplicates.csv", "networks.csv", "hours.csv", "latency.svg"}
    assert {file.name for file in folder.iterdir() if not file.name.startswith(".")} == names
    rows = list(csv.DictReader((folder / "hours.csv").read_text().splitlines()))
    assert [row["student"] for row in rows] == students.split(",")
    assert all(float(row["seconds in all"]) > 0 for row in rows)
    first, second = pasted(out)
    assert second[second.index("--student") + 1] == "resnet8"
    assert main(first[1:]) == 0
    assert len(list((tmp_path / "out").glob("*/result.json"))) == 2  # the baseline and the student
    assert "is already trained, in " in done(capsys, words(world, tmp_path / "out", "--format", "svg"))


def test_a_budget_gives_up_epochs_and_says_so(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = words(world, tmp_path, "--epochs", "100000", "--budget", "1m", "--format", "svg")
    out = done(capsys, asked)
    (command,) = pasted(out)
    epochs = int(command[command.index("--epochs") + 1])
    assert 1 <= epochs < 100000
    assert f"epochs 100000 -> {epochs}" in out
    assert "nothing is given up" in done(capsys, words(world, tmp_path, "--budget", "1d", "--format", "svg"))
    monkeypatch.setattr(plan, "_BUDGET", -1.0)
    assert "were not tried with every student, because the time was up" in done(capsys, asked)


@pytest.mark.parametrize("factor", [3.0, 0.1])
def test_what_compiling_makes_slower_is_said_and_not_proposed(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    def compiled(one: Planned, course: Course, *others: object) -> Course:
        return replace(course, pace=course.pace.scaled(factor))

    monkeypatch.setattr(plan, "compiled_course", compiled)
    asked = words(world, tmp_path, "--epochs", "100000", "--budget", "1m", "--format", "svg", "--compile", "true")
    out = " ".join(done(capsys, asked).split())
    assert ("compiling makes" in out) == (factor > 1)
    assert ("compile true -> false" in out) == (factor > 1)
    assert (" --compile false" in out) == (factor > 1)
    assert "because each would be compiled anew" in out
    enough = done(capsys, words(world, tmp_path, "--budget", "1d", "--format", "svg", "--compile", "true"))
    assert "were not tried" not in enough


def test_a_teacher_without_weights_is_planned_as_well(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = words(world, tmp_path, "--teacher", "resnet8", "--format", "svg")
    out = done(capsys, asked)
    assert "teacher, first" in out
    assert "of it for the teacher" in out
    assert main(["train", "--model", "resnet8", *world.small(tmp_path)]) == 0
    assert "teacher, first" not in done(capsys, asked)


def test_broken_images_and_duplicates_are_said_and_the_command_leaves_the_broken_ones_out(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = tmp_path / "pictures"
    shutil.copytree(world.pictures, pictures)
    (first, *_) = sorted((pictures / "train").glob("*/*"))
    (first.parent / "broken.png").write_bytes(first.read_bytes()[:-30])
    shutil.copy(first, pictures / "val" / first.parent.name / "copy.png")
    asked = words(world, tmp_path / "out", "--format", "svg")
    asked[1] = str(pictures)
    out = done(capsys, asked)
    assert "left out 1 of " in out
    assert "note: stillhouse distill refuses data with 1 broken image" in out
    assert "note: 1 of " in out
    assert "held-out images are training images as well" in out
    (command,) = pasted(out)
    assert command[command.index("--skip_broken") + 1] == "true"


def test_landmarks_are_printed_as_options_where_a_method_reads_features(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = done(capsys, words(world, tmp_path, "--format", "svg", "--methods", "CE + FitNet"))
    options = [line for line in out.splitlines() if line.startswith("--")]
    assert [line.partition(" ")[0] for line in options] == ["--student_anatomy", "--teacher_anatomy"]
    assert "no method here reads stages" not in out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--student", "nosuch"), "nosuch"),
        (("--student", "timm:resnet18x"), "timm has no 'resnet18x'"),
        (("--student", "resnet8,resnet8"), "--student names resnet8 twice"),
        (("--student", ","), "--student must name a network"),
        (("--teacher", "nosuch"), "nosuch"),
        (
            ("--teacher", "resnet8", "--teacher_weights", "no.pth"),
            "no.pth",
        ),
        (("--student_weights", "no.pth"), "no.pth"),
        (("--student", "resnet8,resnet14", "--student_weights", "no.pth"), "--student_weights is for one student"),
        (("--budget", "soon"), "--budget takes a duration such as 90s, 30m, 2h or 1d, not 'soon'"),
        (("--methods", "Nothing"), "Nothing"),
    ],
)
def test_what_cannot_be_planned_is_refused_before_data_are_read(
    more: tuple[str, ...],
    said: str,
    world: World,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plan, "opened", lambda *_: pytest.fail("data were read"))
    assert said in refusal(capsys, words(world, tmp_path, *more))

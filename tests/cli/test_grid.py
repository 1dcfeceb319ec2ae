"""`stillhouse grid` from words to a choice."""

import csv
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from stillhouse.__main__ import main
from stillhouse.bench.jobs import Job
from stillhouse.cli.arguments import parse
from stillhouse.cli.grid import base_of
from stillhouse.cli.options.grid import Grid
from stillhouse.grid.axes import combinations, read_axes
from stillhouse.report.recipes import FOLDER
from stillhouse.training.classroom import Classroom
from tests.helpers.commands import World, contents, done, only, refusal

Capture = pytest.CaptureFixture[str]
METHODS = ("--methods", "CE(weight=0.2) + KD(weight=0.8)")


def words(world: World, folder: Path, *more: str, epochs: int = 1) -> list[str]:
    return ["grid", *world.distill(folder, *METHODS, *more, epochs=epochs)[1:]]


def test_validation_images_choose_and_the_chosen_cell_alone_is_tested(
    world: World, tmp_path: Path, capsys: Capture
) -> None:
    command = words(world, tmp_path, "--grid", "KD.temperature=2,8", "--grid", "lr=0.001,0.2")
    first = done(capsys, command)
    assert "grid: 2 x 2 cells x 1 seed: 4 students, 0 trained before, 4 to train, about" in first
    assert first.count("epoch 1/1: ") == 1  # one room
    assert " % top-1 on the validation images; stages" in first
    folder = only(tmp_path, "grid-")
    assert {path.name for path in folder.iterdir()} == {"cells.csv", "heat_map.svg", "heat_map.png", "heat_map.pdf"}
    rows = list(csv.DictReader((folder / "cells.csv").read_text().splitlines()))
    settings = [(row["KD.temperature"], row["lr"]) for row in rows]
    assert settings == [
        ("2", "0.001"),
        ("2", "0.2"),
        ("8", "0.001"),
        ("8", "0.2"),
    ]
    for row in rows:
        metrics = json.loads((tmp_path / row["run"] / "metrics.jsonl").read_text().splitlines()[-1])
        assert float(row["validation_top1"]) == metrics["top1"]
    best = max(rows, key=lambda row: float(row["validation_top1"]))
    (chosen,) = (row for row in rows if row["chosen"])
    assert chosen is best
    result = json.loads((tmp_path / best["run"] / "result.json").read_text())
    assert [row["test_top1"] for row in rows if row["test_top1"]] == [str(result["top1"])]
    assert f"its test top-1, looked at for this cell only: {result['top1']:.2f} %" in first

    before = contents(tmp_path)
    again = done(capsys, [*command, "--test", "all"])
    assert "4 trained before, nothing to train" in again
    assert "test % (not for choosing)" in again
    assert {name for name, found in contents(tmp_path).items() if before[name] != found} == {
        f"{folder.name}/{name}" for name in ("cells.csv", "heat_map.svg", "heat_map.png", "heat_map.pdf")
    }


def test_its_students_are_those_of_distill(world: World, tmp_path: Path, capsys: Capture) -> None:
    done(capsys, words(world, tmp_path, "--grid", "KD.temperature/lr=2/0.1"))
    typed = ["--methods", "CE(weight=0.2), KD(weight=0.8, temperature=2)", "--lr", "0.1", "--validation", "0.1"]
    out = done(capsys, world.distill(tmp_path, *typed, "--baseline", "false", epochs=1))
    assert "already trained" in out


def test_a_grid_in_a_file_with_seeds_and_another_batch_size(world: World, tmp_path: Path, capsys: Capture) -> None:
    plan = tmp_path / "grid.yaml"
    plan.write_text("seeds: 2\nvalidation: 0.25\ngrid:\n  batch_size: [8, 16]\n")
    command = words(world, tmp_path / "runs", "--config", str(plan))
    command = [word for word in command if word not in ("--batch_size", "16")]
    out = done(capsys, command)
    assert out.count("epoch 1/1: ") == 4  # a room for each seed and batch size
    assert "validation top-1" in out
    assert "mean of 2 seeds" in out
    config = next((tmp_path / "runs").glob("*-from-*")) / "config.yaml"
    assert "\nvalidation: 0.25\n" in config.read_text()


def test_students_and_methods_are_varied_side_by_side(world: World, tmp_path: Path, capsys: Capture) -> None:
    nets = [f"{world.nets}:small", f"{world.nets}:wide"]
    command = words(world, tmp_path, "--grid", f"student={','.join(nets)}; methods=CE + KD,CE + AT")
    without = [*command[: command.index("--student")], *command[command.index("--student") + 2 :]]
    assert "methods are given by --methods and varied by --grid" in refusal(capsys, without)
    assert "student is given by --student" in refusal(capsys, [word for word in command if word not in METHODS])
    out = done(capsys, [word for word in without if word not in METHODS])
    assert "grid: 2 x 2 cells x 1 seed: 4 students" in out
    assert out.count("epoch 1/1: ") == 1  # one room
    rows = list(csv.DictReader((only(tmp_path, "grid-") / "cells.csv").read_text().splitlines()))
    assert [(row["student"], row["methods"]) for row in rows] == [
        (net, m) for net in nets for m in ("CE + KD", "CE + AT")
    ]
    assert only(tmp_path, "grid-").name.startswith(f"grid-{world.teacher.name}_2_students-")
    taught = {path.parent.name.partition("-from-")[0] for path in tmp_path.glob("*-from-*/result.json")}
    assert taught == {"pictures-my_nets.py_small", "pictures-my_nets.py_wide"}


def test_a_teacher_without_weights_is_trained_first(world: World, tmp_path: Path, capsys: Capture) -> None:
    command = words(world, tmp_path, "--grid", "lr=0.1,0.2", "--trust_teacher", "true")
    command[2] = f"{world.nets}:wide"
    out = done(capsys, command)
    assert out.count("it is trained first") == 1
    assert "chosen: lr=" in out
    assert "trained first" not in done(capsys, command)


def test_one_room_of_a_grid(world: World, tmp_path: Path, capsys: Capture) -> None:
    command = words(world, tmp_path, "--grid", "lr=0.1,0.2", "--seeds", "2", "--room", "2")
    out = done(capsys, command)
    assert "chosen:" not in out
    assert {path.parent.name.partition("seed")[2][0] for path in tmp_path.glob("*/result.json")} == {"1"}


def test_who_fails_is_shown_and_not_chosen(world: World, tmp_path: Path, capsys: Capture) -> None:
    command = words(world, tmp_path, "--grid", "lr=0.1,100000000", "--seeds", "1")
    assert "1 student of 2 failed; see above" in refusal(capsys, command)
    rows = list(csv.DictReader((only(tmp_path, "grid-") / "cells.csv").read_text().splitlines()))
    assert [row["chosen"] for row in rows] == ["yes", ""]
    assert rows[1]["validation_top1"] == ""


def test_a_search_proposes_the_same_trials_and_trains_nothing_twice(
    world: World, tmp_path: Path, capsys: Capture
) -> None:
    more = ["--grid", "KD.temperature=1..16:log; lr=0.05,0.1", "--search", "tpe", "--trials", "3", "--together", "2"]
    first = done(capsys, words(world, tmp_path, *more))
    assert "search: 3 trials x 1 seed: 2 students" in first
    before = {name for name in contents(tmp_path) if "-from-" in name}
    again = done(capsys, words(world, tmp_path, *more))
    assert "epoch 1/1" not in again
    assert again[again.index("KD.temperature ") :] == first[first.index("KD.temperature ") :]
    assert {name for name in contents(tmp_path) if "-from-" in name} == before


VARIED = ("--grid", "KD.temperature=1..2; lr=0.0001..0.1:log")
HALVING = (*VARIED, "--search", "halving", "--trials", "5", "--together", "3")


def test_a_search_stops_most_settings_early(world: World, tmp_path: Path, capsys: Capture) -> None:
    command = words(world, tmp_path, *HALVING, epochs=3)
    first = done(capsys, command)
    assert "after 33 % of the epochs 1 of 3 settings go on; best: " in first
    rows = list(csv.DictReader((only(tmp_path, "grid-") / "cells.csv").read_text().splitlines()))
    measured = {path.parent.name: path.read_text().splitlines() for path in tmp_path.glob("*/metrics.jsonl")}
    to_the_end, stopped = ({name for name, found in measured.items() if len(found) == count} for count in (3, 1))
    assert len(to_the_end) + len(stopped) == 5
    assert {path.parent.name for path in tmp_path.glob("*/result.json")} == to_the_end
    started_first = [float(json.loads(measured[name][0])["top1"]) for name in measured]
    for row in rows:
        is_stopped = row["stopped_after"] == "1"
        assert bool(row["validation_top1"]) != is_stopped
        assert not (row["chosen"] and is_stopped)
        assert row["run"] in (stopped if is_stopped else to_the_end)
    assert max(started_first) == max(float(json.loads(measured[name][0])["top1"]) for name in to_the_end)

    before, table = contents(tmp_path), first[first.index("KD.temperature ") :]
    again = done(capsys, command)
    assert "epoch 1/" not in again
    assert again[again.index("KD.temperature ") :] == table
    assert {name: found for name, found in contents(tmp_path).items() if "-from-" in name} == {
        name: found for name, found in before.items() if "-from-" in name
    }

    config = next(tmp_path.glob("*-from-*/state.pt")).with_name("config.yaml")  # it ends after all, by itself
    assert "resumes at epoch 2 of 3" in done(capsys, ["distill", "--config", str(config)])
    again = done(capsys, command)
    assert again[again.index("KD.temperature ") :] == table


class Killed(BaseException):
    """As if by SIGKILL: nothing is saved."""


def outcome(folder: Path) -> dict[str, object]:
    """Return what a search came to: its table, and the weights of all that ran to the end."""
    weights = {path.parent.name: json.loads(path.read_text())["weights_hash"] for path in folder.glob("*/result.json")}
    return {"cells": (only(folder, "grid-") / "cells.csv").read_text(), **weights}


def test_a_search_that_is_killed_again_and_again_ends_as_if_it_were_not(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(capsys, words(world, tmp_path / "one", *HALVING, epochs=3))
    command, kills = words(world, tmp_path / "two", *HALVING, epochs=3), 0
    epoch = Classroom.for_each
    for moment in range(9, 60, 7):

        def killing(room: Classroom, *given: object, calls: list[int] = [moment]) -> None:  # noqa: B006 (a counter)
            calls[0] -= 1
            if calls[0] == 0:
                raise Killed
            epoch(room, *given)  # type: ignore[arg-type] # as it was called

        with monkeypatch.context() as patch, suppress(Killed):
            patch.setattr(Classroom, "for_each", killing)
            main(command)
            break
        kills += 1
    assert kills >= 3
    done(capsys, command)
    assert outcome(tmp_path / "two") == outcome(tmp_path / "one")


def test_a_search_in_other_processes_stops_the_same_settings(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def here(jobs: Sequence[Job], *_: object) -> None:
        for job in jobs:
            asked.append(job.command[3:])
            assert main(list(job.command[3:])) == 0

    monkeypatch.setattr("stillhouse.cli.runs.rooms.run_here", here)
    done(capsys, words(world, tmp_path / "one", *HALVING, epochs=3))
    assert asked == []
    done(capsys, words(world, tmp_path / "two", *HALVING, "--processes", "2", epochs=3))
    parts = [json.loads(one[one.index("--config") + 1])["until"] for one in asked]
    assert parts[:2] == [1 / 3, 1.0]
    assert outcome(tmp_path / "two") == outcome(tmp_path / "one")


def test_the_grid_of_a_recipe_is_one_command() -> None:
    command = parse("grid", Grid, ["--config", str(FOLDER / "grids" / "guan.yaml")])
    assert command.grid.grid is not None
    base, settings = base_of(command), combinations(read_axes(command.grid.grid))
    assert len(settings) == 16
    (cell,) = base.cells(settings[3], [0])
    assert cell.pair == "wrn_28_4-wrn_16_2"
    assert [str(one)[:32] for one in cell.methods] == ["CE(weight=0.2)", "KD(weight=0.8, temperature=16.0,"]
    run = cell.command.run
    assert (run.data.data, run.length.epochs, run.split.validation) == ("cifar100", 200, 0.1)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--grid", "lr=0.1", "--trials", "3"], "--trials is for a search"),
        (["--grid", "lr=0.1", "--search", "tpe", "--room", "1"], "--room is for a grid without --search"),
        ([], "--grid is empty; write what to vary"),
        (["--grid", "KD.temperature=2", "--validation", "0"], "--validation must be above 0"),
        (["--grid", "lr=0.1", "--lr", "0.1"], "lr is given by --lr and varied by --grid"),
        (["--grid", "KD.temperature=0"], "--grid KD.temperature=0: KD: temperature must be at least 0.001"),
        (["--grid", "lr=0.1", "--recipe", "cifar100/none"], "there is no recipe"),
        *(
            (
                ["--grid", "student=resnet8,resnet14,rasnet8; lr=0.1,0.2", "--search", how, "--data", "/nowhere"],
                "'rasnet8'",
            )
            for how in ("tpe", "halving")
        ),
    ],
)
def test_what_is_no_grid_is_refused(capsys: Capture, more: list[str], says: str) -> None:
    assert says in refusal(capsys, ["grid", *more])


def test_a_grid_of_which_nothing_can_be_trained_leaves_no_files(world: World, tmp_path: Path, capsys: Capture) -> None:
    command = words(world, tmp_path / "runs", "--grid", "KD.temperature=2,8")
    command[command.index("--student") + 1] = f"{world.nets}:absent"
    assert "2 students of 2 failed" in refusal(capsys, command)
    assert [path for path in (tmp_path / "runs").rglob("*") if path.is_file()] == []

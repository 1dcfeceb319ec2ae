"""`stillhouse pick` from words to a choice."""

import csv
import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from stillhouse.__main__ import main
from stillhouse.bench.run import Comparison
from stillhouse.export.latency import Latency
from stillhouse.pick import fast_enough
from stillhouse.plan.pace import Pace
from stillhouse.report.grids import read_grids
from stillhouse.report.records import read_records
from stillhouse.training.loop import fit
from tests.helpers.commands import World, contents, done, only, refusal

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _known_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the wide network take 4 ms and any other 2; a step of each student a second, of the teacher nothing."""

    def measured(students: Sequence[str], *_: object) -> dict[str, Latency]:
        return {name: Latency(1.0, 4.0 if "wide" in name else 2.0, 30) for name in students}

    def pace(self: Comparison, room: object, cells: Sequence[object]) -> Pace:
        return Pace(0.0, {str(number): 1.0 for number, _ in enumerate(cells)})

    monkeypatch.setattr(fast_enough, "measured", measured)
    monkeypatch.setattr(Comparison, "pace", pace)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing, which takes seconds."""
    monkeypatch.setattr("stillhouse.analysis.figures.save", lambda *_: [])


def words(world: World, folder: Path, *more: str, students: Sequence[str] = ("small", "wide")) -> list[str]:
    nets = ",".join(f"{world.nets}:{name}" for name in students)
    options = f"--teacher {world.teacher} --students {nets} --batch_size 16 --device cpu --folder {folder}"
    return ["pick", str(world.pictures), *options.split(), "--epochs", "30", *more]


def rows_of(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((only(folder, "pick-") / "candidates.csv").read_text().splitlines()))


def runs_of(folder: Path) -> dict[str, list[dict[str, object]]]:
    found = folder.glob("*/metrics.jsonl")
    return {path.parent.name: [json.loads(line) for line in path.read_text().splitlines()] for path in found}


def test_students_and_methods_are_halved_within_the_budget(world: World, tmp_path: Path, capsys: Capture) -> None:
    command = words(world, tmp_path, "--methods", "CE; CE + KD; CE + AT", "--budget", "17s")
    first = done(capsys, command)
    folder = only(tmp_path, "pick-")
    epochs = json.loads((folder / "plan.json").read_text())["epochs"]
    assert epochs == 3  # six candidates for a second, two for two more: 10 s of 0.9 times 17; with 4 epochs 16 s
    assert "plan: 6 candidates for 1 epoch, 2 for 3 of 30 in full; about 0:10" in first
    assert {path.name for path in folder.iterdir()} == {
        "plan.json", "candidates.csv", "cells.csv", "pareto.svg", "pareto.png", "pareto.pdf"
    }  # fmt: skip
    runs, rows = runs_of(tmp_path), rows_of(tmp_path)
    before = min(int(row["epochs"]) for row in rows)
    assert sorted(map(len, runs.values())) == [before] * 4 + [epochs] * 2
    for row in rows:
        assert float(row["validation_top1"]) == pytest.approx(
            runs[row["runs"]][int(row["epochs"]) - 1]["top1"], abs=1e-3
        )
    ended = [row for row in rows if row["epochs"] == str(epochs)]
    chosen = next(row for row in ended if row["state"] == "chosen")
    assert float(chosen["validation_top1"]) == max(float(row["validation_top1"]) for row in ended)
    assert f"chosen: {chosen['student']}, {chosen['methods']}: " in first
    (grid,) = read_grids([tmp_path], read_records([tmp_path]).records)
    assert len(grid.rows) == 6
    assert grid.runs == runs.keys()
    result = json.loads((tmp_path / chosen["runs"] / "result.json").read_text())
    assert f"its test top-1, looked at for this candidate only: {result['top1']:.2f} %" in first
    (pasted,) = (line for line in first.splitlines() if line.startswith(("  stillhouse distill", "  stillhouse train")))
    assert {"--epochs", "30"} <= {*shlex.split(pasted)}

    known = contents(tmp_path)
    again = done(capsys, command)
    assert "latencies and epochs are those measured when this began" in again
    assert again[again.index("top-1 % on") :] == first[first.index("top-1 % on") :]
    changed = {Path(name).name for name, found in contents(tmp_path).items() if known.get(name) != found}
    assert changed == {"candidates.csv", "cells.csv", "pareto.svg", "pareto.png", "pareto.pdf"}


@pytest.mark.usefixtures("undrawn")
def test_killed_and_typed_again_it_ends_as_if_nothing_had_happened(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ["--methods", "CE + KD; CE + AT", "--budget", "14s"]
    done(capsys, words(world, tmp_path / "whole", *more))
    rooms = iter([True, False])

    def killed(*arguments: object, **options: object) -> None:
        if not next(rooms):
            raise KeyboardInterrupt
        fit(*arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("stillhouse.cli.train.fit", killed)
        assert main(words(world, tmp_path / "killed", *more)) == 2
    capsys.readouterr()
    early = runs_of(tmp_path / "killed")
    assert early
    assert not list((tmp_path / "killed").glob("*/result.json"))
    monkeypatch.setattr(Comparison, "pace", lambda *_: Pace(0.0, {"other": 0.01}))  # the budget would allow more now
    done(capsys, words(world, tmp_path / "killed", *more))
    late, whole = runs_of(tmp_path / "killed"), runs_of(tmp_path / "whole")
    assert {name: [row["top1"] for row in rows] for name, rows in late.items()} == {
        name: [row["top1"] for row in rows] for name, rows in whole.items()
    }
    for name, rows in early.items():
        assert late[name][: len(rows)] == rows  # not trained twice
    assert rows_of(tmp_path / "killed") == rows_of(tmp_path / "whole")


@pytest.mark.usefixtures("undrawn")
def test_those_that_are_too_slow_are_left_out(world: World, tmp_path: Path, capsys: Capture) -> None:
    out = done(capsys, words(world, tmp_path, "--max_latency", "0.003s", "--methods", "CE; CE + KD", "--epochs", "3"))
    assert "left out: p95 above 3, p50 is not" in out
    assert {row["student"] for row in rows_of(tmp_path)} == {f"{world.nets}:small"}
    assert "plan: 2 candidates for 3 epochs, as many as a training in full; about 0:06" in out


def test_a_single_one_that_is_left_is_not_trained(world: World, tmp_path: Path, capsys: Capture) -> None:
    out = done(capsys, words(world, tmp_path, "--max_latency", "3"))
    assert "small is left, trained by one sum of losses: nothing to choose by training" in out
    assert list(tmp_path.iterdir()) == []
    assert out.splitlines()[-1].startswith(f"  stillhouse distill --data {world.pictures} ")


def test_its_printed_options_are_read_as_they_were_meant(world: World, tmp_path: Path, capsys: Capture) -> None:
    command = words(world, tmp_path, "--max_latency", "3")
    (tmp_path / "printed.yaml").write_text(done(capsys, [*command, "--print_config"]))
    assert "\nvalidation: 0.1\n" in (tmp_path / "printed.yaml").read_text()
    again = done(capsys, ["pick", str(world.pictures), "--config", str(tmp_path / "printed.yaml")])
    assert again.splitlines()[-1].startswith(f"  stillhouse distill --data {world.pictures} ")


def refused() -> Iterator[tuple[list[str], str]]:
    yield ["--max_latency", "1ms"], "no student is fast enough: 95 % of the calls of the fastest"
    yield ["--max_latency", "5m"], "--max_latency must be a time such as 5ms or 0.005s, not '5m'"
    yield ["--budget", "2"], "--budget must be a time with its unit"
    yield ["--budget", "1s"], "--budget must be at least "
    yield ["--validation", "0"], "--validation must be above 0"
    yield ["--methods", "CE; CE"], "are the same; leave one out"
    yield ["--methods", "CE; KID"], "KID"
    yield ["--students", "resnet8,resnet8"], "--students names resnet8 twice"
    yield ["--students", ","], "--students names none"
    yield ["--milestones", "15", "--budget", "1h"], "--milestones 15 is an epoch of a training in full"


@pytest.mark.parametrize(("more", "says"), list(refused()))
def test_bad_input_is_refused_before_anything_is_trained(
    world: World, tmp_path: Path, capsys: Capture, more: list[str], says: str
) -> None:
    assert says in refusal(capsys, words(world, tmp_path, *more))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("undrawn")
def test_a_candidate_that_fails_is_shown_and_not_chosen(world: World, tmp_path: Path, capsys: Capture) -> None:
    command = words(world, tmp_path, "--methods", "CE + KD; CE + KD(weight=1e9)", "--epochs", "2", "--lr", "10")
    assert "failed; see above" in refusal(capsys, command)
    assert {row["state"] for row in rows_of(tmp_path) if "1e" in row["methods"]} == {"failed"}


@pytest.mark.usefixtures("undrawn")
def test_a_teacher_without_weights_is_trained_once(world: World, tmp_path: Path, capsys: Capture) -> None:
    command = words(world, tmp_path, "--methods", "CE; CE + KD", "--budget", "14s", "--trust_teacher", "true")
    command[command.index("--teacher") + 1] = f"{world.nets}:wide"
    command[command.index("--epochs") + 1] = "4"
    out = done(capsys, command)
    assert out.count("it is trained first") == 1
    teacher = json.loads((only(tmp_path, "pick-") / "plan.json").read_text())["teacher"]
    assert len((Path(teacher) / "metrics.jsonl").read_text().splitlines()) == 4
    assert "trained first" not in done(capsys, command)

"""A bench as it runs, beside other processes."""

import json
from pathlib import Path

import pytest

from stillhouse.bench import run
from stillhouse.bench.claims import Claims
from tests.cli.test_bench import words
from tests.helpers.commands import World, contents, done, refusal

Capture = pytest.CaptureFixture[str]


def results(folder: Path) -> dict[str, float]:
    return {path.parent.name: json.loads(path.read_text())["top1"] for path in folder.glob("*/result.json")}


def test_a_room_at_a_time_and_the_rest_later(world: World, tmp_path: Path, capsys: Capture) -> None:
    command = words(world, tmp_path, "--methods", "CE, CE + KD", "--seeds", "2")
    done(capsys, [*command, "--room", "2"])
    first = {name: content for name, content in contents(tmp_path).items() if "README" not in name}
    assert {name.partition("seed")[2][0] for name in results(tmp_path)} == {"1"}
    assert "4 students, 2 trained before, 2 to train" in done(capsys, command)
    after = contents(tmp_path)
    assert {name: after[name] for name in first} == first
    assert "--room must be at most 2, the number of rooms, not 3" in refusal(capsys, [*command, "--room", "3"])


def test_what_another_process_trains_is_waited_for(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = words(world, tmp_path, "--methods", "CE, CE + KD", "--seeds", "1")
    done(capsys, command)
    finished = next(tmp_path.glob("*-from-*"))
    (finished / "result.json").rename(tmp_path / "kept")
    looks: list[float] = []

    def look(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            (tmp_path / "kept").rename(finished / "result.json")

    monkeypatch.setattr(run, "sleep", look)
    with Claims([finished]):  # of this process, which lives
        out = done(capsys, command)
    assert looks == [run.LOOK_EVERY] * 3
    assert out.count("note: other processes are training the rest; waiting for them") == 1
    assert "epoch 1/" not in out


def test_rooms_in_processes_of_their_own_end_with_the_same_numbers(
    world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    more = ["--methods", "CE, CE + KD", "--seeds", "1"]
    done(capfd, words(world, tmp_path / "one", *more))
    out = done(capfd, words(world, tmp_path / "two", *more, "--processes", "2"))
    assert "CE + KD" in out
    assert results(tmp_path / "one") == results(tmp_path / "two")
    assert len(results(tmp_path / "one")) == 2

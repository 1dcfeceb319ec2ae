"""Rooms of a command in other processes."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from stillhouse.anatomy import Anatomy
from stillhouse.bench.jobs import Job
from stillhouse.cli.arguments import parse
from stillhouse.cli.groups.rooms import RoomOptions
from stillhouse.cli.options.bench import Bench
from stillhouse.cli.runs.rooms import elsewhere, given_for_distill, given_values

CPU = torch.device("cpu")


def test_one_process_on_a_cpu_trains_all_itself() -> None:
    assert elsewhere(RoomOptions(), "bench", {}, CPU, print) is None


def test_other_processes_are_given_the_same_command_and_a_room(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Job] = []

    def run(jobs: Sequence[Job], processes: int, gpus: int, say: object) -> None:
        started.extend(jobs)
        assert (processes, gpus) == (2, 0)

    monkeypatch.setattr("stillhouse.cli.runs.rooms.run_here", run)
    values = {"lr": 0.2, "folder": Path("there"), "processes": 2, "student_anatomy": Anatomy(head="fc")}
    train = elsewhere(RoomOptions(processes=2), "grid", values, CPU, print)
    assert train is not None
    train({2: "a pair, seed 0", 5: "a pair, seed 1"})
    assert [one.name for one in started] == ["a pair, seed 0", "a pair, seed 1"]
    assert [one.command[3] for one in started] == ["grid", "grid"]
    assert [one.command[-2:] for one in started] == [("--room", "2"), ("--room", "5")]
    options = json.loads(started[0].command[5])
    assert (options["lr"], options["folder"], options["processes"], options["ray"]) == (0.2, "there", 1, None)
    assert options["student_anatomy"]["head"] == "fc"


def test_what_was_given_and_what_of_it_distill_knows() -> None:
    command = parse("bench", Bench, ["--lr", "0.3", "--seeds", "5", "--methods", "CE", "--student", "resnet20"])
    assert given_values(command) == {"lr": 0.3, "seeds": 5, "methods": "CE", "student": "resnet20"}
    assert given_for_distill(command) == {"lr": 0.3, "student": "resnet20"}
    assert given_for_distill(command, but=("student",)) == {"lr": 0.3}

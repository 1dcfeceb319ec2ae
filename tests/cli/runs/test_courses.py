"""The trainings of a plan are measured within the time that there is."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from stillhouse.cli.arguments import parse
from stillhouse.cli.distill import opened
from stillhouse.cli.options.plan import Plan
from stillhouse.cli.runs import courses
from stillhouse.cli.runs.planned import ALONE, built, check, taught_first, untrained_teacher
from stillhouse.plan.pace import Pace
from stillhouse.plan.timing import measured
from stillhouse.training.progress import Display

CPU = torch.device("cpu")


@pytest.mark.parametrize("left", [-5.0, 0.4])
def test_networks_share_the_time_and_the_teacher_is_timed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: float
) -> None:
    asked: list[tuple[float, float | None]] = []

    def noted(*arguments: object) -> Pace:
        asked.append((arguments[4], arguments[5] if len(arguments) > 5 else None))  # type: ignore[arg-type] # as called
        return measured(*arguments)  # type: ignore[arg-type] # the same

    monkeypatch.setattr(courses, "measured", noted)
    words = ["digits", "--folder", str(tmp_path), "--student", "resnet8,resnet14", "--epochs", "3", "--device", "cpu"]
    command, display = parse("plan", Plan, words, {"data": "data"}), Display(quiet=True)
    shared = opened(command.distill("resnet8"), display)
    teacher = untrained_teacher(command.distill("resnet8"), shared)
    names = ("resnet8", "resnet14")
    plans = [built(command.distill(name), name, shared, teacher, check(command), display) for name in names]
    untrained = taught_first(command, shared, "resnet8", display)
    found = courses.courses_of(plans, shared, teacher, untrained, CPU, time.perf_counter() + left)
    assert [course.name for course in found] == list(names)
    assert all(len(course.labels) == 2 and course.labels[0] == ALONE for course in found)
    assert found[0].pace.teacher == found[1].pace.teacher > 0
    assert found[0].teacher_seconds(3) > 0
    assert [look for _, look in asked] == [None, None, found[0].pace.teacher]
    assert all(0.1 <= seconds <= max(0.1, left) for seconds, _ in asked)

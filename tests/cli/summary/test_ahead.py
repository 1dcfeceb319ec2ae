"""The plan before the first step."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch import nn

from stillhouse.cli.summary import ahead
from stillhouse.cli.summary.ahead import larger, plan, seconds_to_go
from stillhouse.methods import CE, KD
from stillhouse.plan.pace import Pace
from stillhouse.taps import Tapped
from stillhouse.training.student import StudentTrainer
from tests.helpers.data import quick_data
from tests.helpers.training import teacher_net, trainer


def named(name: str, epochs: int) -> StudentTrainer:
    return cast(StudentTrainer, SimpleNamespace(name=name, epochs=epochs))


def test_the_plan_names_everything_that_will_be_trained() -> None:
    students = [named("resnet8 by itself", 12), named("resnet8 CE+KD", 12)]
    whole = plan(named("resnet20 by itself", 12), students, 75)
    assert whole == (
        "plan: the teacher resnet20 (12 epochs), then resnet8 by itself and resnet8 CE+KD beside each other "
        "(12 epochs); about 1:15 in all"
    )
    assert plan(None, students[1:], 3725) == "plan: resnet8 CE+KD (12 epochs); about 1:02:05 in all"


def test_epochs_that_are_done_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, teacher, cpu = quick_data(), teacher_net(), torch.device("cpu")
    students = [trainer([CE()], None, tmp_path, "alone"), trainer([CE(), KD()], teacher, tmp_path, "kd")]
    monkeypatch.setattr(ahead, "measured", lambda *_, **__: Pace(10.0, {"0": 1.0, "1": 3.0}, data.train.steps))
    epochs = students[0].epochs
    assert seconds_to_go(teacher, students, data, cpu) == data.train.steps * epochs * (10 + 1 + 3)
    students[0].run.rows = lambda: [{}] * epochs  # type: ignore[method-assign] # a stand-in for the test
    students[1].run.rows = lambda: [{}] * (epochs - 1)  # type: ignore[method-assign]
    assert seconds_to_go(teacher, students, data, cpu) == data.train.steps * (10 + 3)


def test_a_student_larger_than_its_teacher_is_noted(tmp_path: Path) -> None:
    def pair(student: int, teacher: int) -> str | None:
        networks = [SimpleNamespace(model=nn.Linear(1, size, bias=False)) for size in (student, teacher)]
        distillation = SimpleNamespace(student=networks[0])
        return larger(cast(StudentTrainer, SimpleNamespace(distillation=distillation)), cast(Tapped, networks[1]))

    assert pair(3, 4) is pair(4, 4) is None
    assert pair(5000, 4) == (
        "the student has 5,000 parameters and its teacher 4; if the larger one is to teach, swap "
        "--teacher and --student"
    )

"""The students of a plan are those that a distillation would train."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillhouse.cli.arguments import parse
from stillhouse.cli.distill import opened
from stillhouse.cli.options.plan import Plan
from stillhouse.cli.runs.planned import ALONE, built, check, untrained_teacher
from stillhouse.training.progress import Display


def plan(tmp_path: Path, *words: str) -> Plan:
    return parse("plan", Plan, ["digits", "--folder", str(tmp_path), *words], {"data": "data"})


def test_a_baseline_stands_first_unless_one_is_typed_or_none_is_wanted(tmp_path: Path) -> None:
    def labels(*words: str) -> list[str]:
        return [entry.label for entry in check(plan(tmp_path, *words))]

    assert labels("--methods", "CE + KD; CE + AT") == [ALONE, "CE + KD", "CE + AT"]
    assert labels("--methods", "CE; CE + AT") == ["CE", "CE + AT"]
    assert labels("--methods", "CE + KD", "--baseline", "false") == ["CE + KD"]


def test_trainers_have_the_runs_of_the_distillation_and_make_no_folder(tmp_path: Path) -> None:
    command = plan(tmp_path, "--student", "resnet8", "--methods", "CE + KD", "--epochs", "3")
    display = Display(quiet=True)
    shared = opened(command.distill("resnet8"), display)
    teacher = untrained_teacher(command.distill("resnet8"), shared)
    one = built(command.distill("resnet8"), "resnet8", shared, teacher, check(command), display)
    assert [trainer.epochs for trainer in one.trainers.values()] == [3, 3]
    assert one.taught is one.trainers["CE + KD"]
    assert one.taught.distillation.has_teacher
    assert "resnet8-from-resnet20" in one.taught.run.folder.name
    assert list(tmp_path.iterdir()) == []


def test_options_of_one_student_are_refused_for_several(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--student_anatomy is for one student, not 2"):
        check(plan(tmp_path, "--student", "resnet8,resnet14", "--student_anatomy.head", "fc"))

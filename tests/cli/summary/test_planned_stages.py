from __future__ import annotations

import pytest

from stillhouse.cli.summary.planned_stages import of_stages
from stillhouse.distillation import Distillation
from stillhouse.method import Method
from stillhouse.methods import AT, CE, KD
from stillhouse.training.progress import Display
from stillhouse.training.teachers.teacher import Teacher
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet
from tests.helpers.training import teacher_net


@pytest.mark.parametrize(("method", "is_pasted"), [(KD(), False), (AT(), True)])
def test_stages_are_options_where_a_method_reads_them(
    method: Method, is_pasted: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher, data = Teacher(teacher_net(), "folder/teacher.pth"), quick_data()
    taught = Distillation(QuickNet(), teacher.net, [CE(), method], data.info)
    of_stages(Display(), teacher, [("a_student", taught)], data.info.image_size)
    out = capsys.readouterr().out
    (heading,) = [line.split() for line in out.splitlines() if "a_student" in line and "CxHxW" in line]
    assert heading == ["teacher", "teacher.pth", "CxHxW", "student", "a_student", "CxHxW"]
    assert all((option in out) == is_pasted for option in ("--student_anatomy ", "--teacher_anatomy "))
    assert ("no method here reads stages" in out) != is_pasted

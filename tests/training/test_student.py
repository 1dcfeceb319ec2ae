"""One student's training by itself."""

import math
from pathlib import Path

import pytest
from torch import nn

from stillhouse.methods import CE, KD
from stillhouse.training.classroom import Classroom
from stillhouse.training.loop import fit
from tests.helpers.data import quick_data
from tests.helpers.training import teacher_net, trainer


def test_check_names_the_term_that_is_not_finite(tmp_path: Path) -> None:
    teacher = teacher_net()
    one = trainer([CE(), KD(weight=math.inf)], teacher, tmp_path, "kd")
    with pytest.raises(ArithmeticError, match=r"term KD became NaN or inf at epoch 1, step 1;.*arguments of KD"):
        fit(Classroom(teacher, [one]), quick_data(), "cpu")
    assert not (one.run.folder / "state.pt").exists()
    assert not one.run.is_done


def test_modules_outside_the_phase_are_in_eval_mode(tmp_path: Path) -> None:
    one = trainer([CE()], None, tmp_path, "ce")
    one.phases[0] = type(one.phases[0])("part", 1, [one.distillation.student.module("stage1")], [], one.distillation)
    one.begin_epoch()
    modes = {name: module.training for name, module in one.distillation.student.model.named_children()}
    assert modes == {"stage1": True, "stage2": False, "dropout": False, "head": False}
    assert all(isinstance(module, nn.Module) for module in one.distillation.children())

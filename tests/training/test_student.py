"""One student's training by itself."""

import math
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from torch import Tensor, nn

from stillhouse.batch import Batch
from stillhouse.method import Method, Warmup
from stillhouse.methods import CE, KD
from stillhouse.taps import Outputs, Tapped
from stillhouse.training.classroom import Classroom
from stillhouse.training.loop import Stopped, fit
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


class _Diary(Method):
    """Writes down what it is told, and asks for an end after some steps."""

    def __init__(self, steps: int = -1):
        super().__init__(1.0)
        self.steps = steps
        self.told: list[tuple[str, float]] = []

    def warmups(self, student: Tapped, teacher: Tapped) -> Sequence[Warmup]:
        return [Warmup(1, [student], self)]

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        return student.logits.square().mean(1)

    def begin_epoch(self, epoch: int) -> None:
        self.told.append(("epoch", epoch))

    def after_step(self, batch: Batch) -> None:
        self.told.append(("step", batch.epoch))
        self.steps -= 1
        if self.steps == 0:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("steps", [3, 5, 7])  # in the middle of an epoch and at its end; 5 make an epoch
def test_each_epoch_of_a_phase_begins_once_even_if_interrupted(tmp_path: Path, steps: int) -> None:
    whole, first, second = _Diary(), _Diary(steps), _Diary()
    fit(Classroom(None, [trainer([whole], None, tmp_path, "whole")]), quick_data(), "cpu")
    five = [("step", 0.0), ("step", 0.2), ("step", 0.4), ("step", 0.6), ("step", 0.8)]
    epochs = [(f"{what}", round(epoch % 1, 9)) for what, epoch in whole.told]
    assert epochs == 4 * [("epoch", 0.0), *five]
    assert [epoch for what, epoch in whole.told if what == "epoch"] == [0, 0, 1, 2]

    with pytest.raises(Stopped):
        fit(Classroom(None, [trainer([first], None, tmp_path, "parts")]), quick_data(), "cpu")
    fit(Classroom(None, [trainer([second], None, tmp_path, "parts")]), quick_data(), "cpu")
    assert first.told + second.told == whole.told

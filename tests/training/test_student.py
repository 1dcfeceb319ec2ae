"""One student's training by itself."""

import math
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn

from stillhouse import distributed
from stillhouse.batch import Batch
from stillhouse.method import Method, Warmup
from stillhouse.methods import CE, FT, KD
from stillhouse.taps import Outputs, Tapped
from stillhouse.training.classroom import Classroom
from stillhouse.training.config import TrainConfig
from stillhouse.training.loop import Stopped, fit
from tests.helpers.data import quick_data
from tests.helpers.training import teacher_net, trainer


def test_check_names_the_term_that_is_not_finite(tmp_path: Path) -> None:
    teacher = teacher_net()
    kd = KD()
    kd.weight = math.inf  # which no constructor takes
    one = trainer([CE(), kd], teacher, tmp_path, "kd")
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


def test_a_step_leaves_the_caller_s_random_numbers_alone(tmp_path: Path) -> None:
    one = trainer([CE()], None, tmp_path, "ce", dropout=0.5)
    one.begin_epoch()
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    one.train_step(next(quick_data().train.epoch(0, "cpu")), None)
    assert torch.equal(torch.rand(3), expected)


def first_weights(folder: Path, rank: int, dropout: float = 0.5) -> Tensor:
    """The head after one step, as that rank would train it."""
    one = trainer([CE()], None, folder, f"rank {rank}", dropout=dropout)
    one.begin_epoch()
    with patch.object(distributed, "rank", lambda: rank):
        one.train_step(next(quick_data().train.epoch(0, "cpu")), None)
    head: Tensor = one.model.state_dict()["head.weight"]
    return head


def test_dropout_draws_for_each_rank_on_its_own(tmp_path: Path) -> None:
    assert torch.equal(first_weights(tmp_path, 0), first_weights(tmp_path, 0))
    assert not torch.equal(first_weights(tmp_path, 0), first_weights(tmp_path, 1))
    assert torch.equal(first_weights(tmp_path, 0, dropout=0.0), first_weights(tmp_path, 1, dropout=0.0))


def test_dropout_draws_anew_in_every_step(tmp_path: Path) -> None:
    batch = next(quick_data().train.epoch(0, "cpu"))
    one = trainer([CE()], None, tmp_path, "ce", dropout=0.5)
    seen: list[Tensor] = []
    one.distillation.student.module("dropout").register_forward_hook(lambda _, __, out: seen.append(out == 0))
    one.begin_epoch()
    for step in range(3):
        one.train_step(replace(batch, step=step), None)
    assert not torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[1], seen[2])


class Watching(CE):
    """Writes down which epoch it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[float] = []

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        self.epochs.append(batch.epoch)
        return super().forward(student, teacher, batch)


def test_after_a_warm_up_phase_the_schedule_and_the_methods_count_epochs_from_0(tmp_path: Path) -> None:
    teacher, watching = teacher_net(), Watching()
    config = TrainConfig(epochs=4, batch_size=8, lr=0.05, milestones=(2,))
    one = trainer([FT(warmup_epochs=3), watching], teacher, tmp_path, "ft", config=config)
    fit(Classroom(teacher, [one]), quick_data(), "cpu")
    assert one.epochs == 7
    assert watching.epochs == pytest.approx([step / 5 for step in range(4 * 5)])
    assert [row["phase"] for row in one.rows] == ["FT warm-up"] * 3 + ["distillation"] * 4
    assert [row["lr"] for row in one.rows] == pytest.approx([0.01] * 3 + [0.05, 0.05, 0.005, 0.005])


def test_the_learning_rate_moves_inside_an_epoch(tmp_path: Path) -> None:
    config = TrainConfig(epochs=2, batch_size=8, lr=0.1, schedule="cosine")
    one = trainer([CE()], None, tmp_path, "ce", config=config)
    fit(Classroom(None, [one]), quick_data(), "cpu")
    assert [row["lr"] for row in one.rows] == pytest.approx([config.lr_at(0.8), config.lr_at(1.8)])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_observation_that_is_not_finite_stops_the_run_before_it_is_written(tmp_path: Path, value: float) -> None:
    one = trainer([method := CE()], None, tmp_path, "ce")
    method.observations = lambda: {"share": torch.tensor(value)}  # type: ignore[method-assign] # a stand-in
    with pytest.raises(ArithmeticError, match=rf"ce: CE.share is {value} after epoch 1; nothing is kept in .*: lower"):
        fit(Classroom(None, [one]), quick_data(), "cpu")
    assert one.run.rows() == []
    assert not one.run.is_done


def test_moving_to_another_point_sums_losses_anew(tmp_path: Path) -> None:
    one = trainer([CE()], None, tmp_path, "ce")
    one.begin_epoch()
    one.train_step(next(quick_data().train.epoch(0, "cpu")), None)
    assert one.meter.steps == 1
    one.move_to(2, 1)
    assert (one.epoch, one.step, one.meter.steps) == (2, 1, 0)

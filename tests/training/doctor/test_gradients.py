"""The norms are those of the definition, and measuring them changes no bit of any training."""

import math
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn

from stillhouse.method import Method
from stillhouse.methods import AT, CE, CRD, KD, FitNet
from stillhouse.training.capture.classroom import Capture
from stillhouse.training.capture.graph import RepeatedCalls
from stillhouse.training.classroom import Classroom
from stillhouse.training.config import TrainConfig
from stillhouse.training.doctor import gradients
from stillhouse.training.doctor.gradients import LossDoctor, readable
from stillhouse.training.loop import fit
from stillhouse.training.student import StudentTrainer
from tests.helpers.data import quick_data
from tests.helpers.training import assert_same, teacher_net, trainer
from tests.training.test_saved_state import Interrupted

CONFIG = TrainConfig(epochs=3, batch_size=8, lr=0.05)


def looking(*steps: int) -> AbstractContextManager[object]:
    """Look in these steps instead of the usual ones."""
    return patch.object(gradients, "LOOKS", steps)


def methods() -> list[Method]:
    return [CE(), KD(), AT(weight=10.0), FitNet(weight=2.0), CRD(num_negatives=6, dim=8)]


def learner(folder: Path, name: str, config: TrainConfig = CONFIG) -> tuple[StudentTrainer, Classroom]:
    teacher = teacher_net()
    one = trainer(methods(), teacher, folder, name, dropout=0.3, config=config)
    return one, Classroom(teacher, [one])


def trained(folder: Path, name: str, config: TrainConfig = CONFIG, **how: Any) -> StudentTrainer:
    one, room = learner(folder, name, config)
    fit(room, quick_data(), "cpu", **how)
    return one


def assert_as_trained(one: StudentTrainer, other: StudentTrainer) -> None:
    """Student, methods, memories, momentum and losses are equal, bit for bit."""
    assert_same(one.distillation.state_dict(), other.distillation.state_dict())
    left, right = (each.optimizer.state_dict()["state"] for each in (one, other))
    assert left.keys() == right.keys()
    for key in left:
        assert_same(left[key], right[key])
    assert [replace_seconds(row) for row in one.rows] == [replace_seconds(row) for row in other.rows]


def replace_seconds(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "seconds": 0}


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        replace(CONFIG, precision="bfloat16"),
        replace(CONFIG, optimizer="dot"),
        replace(CONFIG, clip_norm=0.5, nesterov=True),
    ],
    ids=["sgd", "bfloat16", "dot", "clipped"],
)
def test_training_is_the_same_with_and_without(tmp_path: Path, config: TrainConfig) -> None:
    with looking(1, 2, 4, 6, 11):
        watched = trained(tmp_path, "watched", config)
    with looking(1000):
        alone = trained(tmp_path, "alone", config)
    assert list(watched.optimizer.doctor.norms) == [1, 2, 4, 6, 11]
    assert alone.optimizer.doctor.norms == {}
    assert_as_trained(watched, alone)


@pytest.mark.parametrize("at", [(0, 2), (0, 3), (1, 0), (2, 4)])
def test_killed_and_resumed_it_has_seen_the_same(tmp_path: Path, at: tuple[int, int]) -> None:
    with looking(1, 3, 4, 11):
        whole = trained(tmp_path / "whole", "student")
        one, room = learner(tmp_path / "parts", "student")
        train_step = one.train_step

        def counted(*arguments: Any) -> None:
            if (one.epoch, one.step) == at:
                one.save()
                raise Interrupted
            train_step(*arguments)

        with patch.object(one, "train_step", counted), pytest.raises(Interrupted):
            fit(room, quick_data(), "cpu")
        parts = trained(tmp_path / "parts", "student")
    assert parts.optimizer.doctor.norms == whole.optimizer.doctor.norms
    assert list(whole.optimizer.doctor.norms) == [1, 3, 4, 11]
    assert parts.run.result["gradient_norms"] == whole.run.result["gradient_norms"]
    assert readable(whole.run.result["gradient_norms"]) == whole.optimizer.doctor.norms
    assert_as_trained(parts, whole)


def test_repeated_steps_are_the_same_and_a_step_that_is_looked_at_is_not_repeated(tmp_path: Path) -> None:
    with looking(1, 3, 4, 6, 11):
        watched = trained(tmp_path, "eager")
        teacher = teacher_net()
        one = trainer(methods(), teacher, tmp_path, "captured", dropout=0.3)
        room = Capture(Classroom(teacher, [one]), 8, RepeatedCalls, print)
        room.classroom.to(torch.device("cpu"))
        data = quick_data()
        for epoch in range(3):
            one.begin_epoch()
            for batch in data.train.epoch(epoch, "cpu"):
                room.train_step(batch, [one])
            one.move_to(epoch + 1)
    assert room.students[one].obstacle is None
    assert room.students[one].replays == 15 - 5  # the first step, which warms up, is one of the five
    assert one.optimizer.doctor.norms == watched.optimizer.doctor.norms
    assert_same(one.distillation.state_dict(), watched.distillation.state_dict())


def test_a_trial_step_is_forgotten(tmp_path: Path) -> None:
    one, room = learner(tmp_path, "student")
    room.to(torch.device("cpu"))
    batch = next(quick_data().train.epoch(0, "cpu"))
    room.trial_step(batch, one)
    assert list(one.optimizer.doctor.norms) == [1]  # its memory is measured too
    one.free_step_memory()
    assert (one.optimizer.doctor.step, one.optimizer.doctor.norms) == (0, {})


def test_norms_are_those_of_the_definition(tmp_path: Path) -> None:
    one, room = learner(tmp_path, "student")
    room.to(torch.device("cpu"))
    one.begin_epoch()
    batch = next(quick_data().train.epoch(0, "cpu"))
    outputs = room.teacher_outputs(batch, "eval")
    terms = one.distillation(one._prepared(batch), outputs)
    one.optimizer.doctor.look(terms)
    trunk = [p for name, p in one.distillation.student.named_parameters() if "head" not in name]
    assert 0 < len(trunk) < len([*one.distillation.student.parameters()])
    for name, term in terms.items():
        one.distillation.zero_grad()
        term.backward(retain_graph=True)
        total = math.sqrt(sum(p.grad.double().square().sum().item() for p in trunk if p.grad is not None))
        assert one.optimizer.doctor.norms[1][name] == pytest.approx(total, rel=1e-5)


def watching(*parameters: nn.Parameter) -> LossDoctor:
    doctor = LossDoctor(parameters)
    doctor.count()
    return doctor


def test_a_term_that_reaches_nothing_has_no_gradient() -> None:
    weight = nn.Parameter(torch.tensor([3.0, 4.0]))
    other = nn.Parameter(torch.ones(1))
    doctor = watching(weight)
    doctor.look({"A": weight.square().sum() / 2, "B": torch.zeros(()), "C": other.sum()})
    assert doctor.norms == {1: {"A": 5.0, "B": 0.0, "C": 0.0}}


class Once(torch.autograd.Function):
    """A layer that does not allow a second pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        raise RuntimeError("only once")


def test_a_network_that_cannot_be_measured_is_trained_all_the_same() -> None:
    weight = nn.Parameter(torch.ones(2))
    doctor = watching(weight)
    doctor.look({"A": Once.apply(weight).sum(), "B": weight.sum()})
    assert doctor.obstacle == "only once"
    assert doctor.norms == {}
    assert not doctor.is_due


def test_one_term_is_not_looked_at_and_what_is_not_finite_is_left_out() -> None:
    weight = nn.Parameter(torch.ones(2))
    doctor = watching(weight)
    doctor.look({"CE": weight.sum()})
    assert doctor.norms == {}
    doctor.look({"CE": weight.sum(), "KD": (weight * math.inf).sum()})
    assert doctor.norms == {}


@pytest.mark.parametrize("bad", [3, {"step": "x", "norms": {}, "obstacle": None}, {"step": 1, "norms": {"a": {}}}])
def test_a_damaged_state_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="norms of the gradients cannot be read"):
        LossDoctor().restore(bad)


def test_runs_of_versions_without_a_doctor_go_on_without() -> None:
    doctor = watching(nn.Parameter(torch.ones(2)))
    doctor.restore(None)
    assert not doctor.is_due
    assert readable(None) == {}


@pytest.mark.parametrize("bad", [[], {"1": {"CE": -1.0}}, {"1": {"CE": math.inf}}, {"x": {}}, {"1": 3}])
def test_damaged_norms_are_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="norms of the gradients cannot be read"):
        readable(bad)

"""Steps are replayed once they are captured; who cannot be captured is found out on a copy."""

from pathlib import Path

import torch
from torch import Tensor

from stillhouse.batch import Batch
from stillhouse.methods import CE, KD
from stillhouse.training.capture.graph import RepeatedCalls
from stillhouse.training.capture.student import CapturedStudent, obstacle
from stillhouse.training.config import TrainConfig
from tests.helpers.data import quick_data
from tests.helpers.training import assert_same, teacher_net, trainer, weights


class Hasty(KD):
    steps = 0

    def after_step(self, batch: Batch) -> None:
        self.steps += 1


class Reading(KD):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return super().loss(student, teacher, labels) * float(teacher.std())


class Lonely(KD):
    def __deepcopy__(self, memo: object) -> "Lonely":
        raise TypeError("there is but one of me")


def _obstacle(method: KD, folder: Path, config: TrainConfig) -> str | None:
    teacher = teacher_net().eval()
    one = trainer([CE(), method], teacher, folder, type(method).__name__, config=config)
    one.begin_epoch()
    before = weights(one)
    batch = next(quick_data().train.epoch(0, "cpu"))
    with torch.no_grad():
        outputs = teacher.forward_batch(batch)
    found = obstacle(one, batch, outputs)
    assert all(torch.equal(value, before[name]) for name, value in weights(one).items())
    assert (one.step, one.meter.steps) == (0, 0)
    return found


def test_obstacles_are_named_and_leave_no_mark(tmp_path: Path) -> None:
    plain, dot = TrainConfig(epochs=1, batch_size=8), TrainConfig(epochs=1, batch_size=8, optimizer="dot")
    assert _obstacle(KD(), tmp_path, plain) is None
    assert _obstacle(Hasty(), tmp_path, plain) == "it changes methods.Hasty.steps; write into a buffer instead"
    line = Reading.loss.__code__.co_firstlineno + 1
    assert _obstacle(Reading(), tmp_path, plain) == f"it reads a number back (test_student.py, line {line})"
    assert _obstacle(Lonely(), tmp_path, plain) == "it cannot be copied (there is but one of me)"
    assert _obstacle(KD(), tmp_path, dot) == "DOT takes its learning rate as a number"


def test_all_steps_but_those_that_warm_up_are_replayed(tmp_path: Path) -> None:
    teacher, said, batch = teacher_net().eval(), list[str](), next(quick_data().train.epoch(0, "cpu"))
    eager, one = (trainer([CE(), KD()], teacher, tmp_path, name) for name in ("eager", "graphs"))
    captured = CapturedStudent(one, RepeatedCalls, said.append)
    with torch.no_grad():
        outputs = teacher.forward_batch(batch)
    for student in (eager, one):
        student.begin_epoch()
    for _ in range(4):
        eager.train_step(batch, outputs)
        captured.train_step(batch, outputs)
    assert (captured.replays, captured.obstacle, said) == (
        4 - RepeatedCalls.warm_up - 1,
        None,
        [],
    )  # step 3
    assert_same(weights(one), weights(eager))
